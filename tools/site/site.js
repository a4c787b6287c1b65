// Typesets the math of a page: what the Markdown extension marks as such.
document.addEventListener("DOMContentLoaded", () => {
  const delimiters = [{left: "\\(", right: "\\)", display: false}, {left: "\\[", right: "\\]", display: true}]
  for (const part of document.querySelectorAll(".arithmatex")) renderMathInElement(part, {delimiters, throwOnError: true})
})
