/* Swagger UI in the theme of the reader's system. */
(() => {
  "use strict";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", follow);
  follow();
  SwaggerUIBundle({
    url: "/api/v1/openapi.json", dom_id: "#api", deepLinking: true, validatorUrl: null, persistAuthorization: false,
    defaultModelsExpandDepth: 0
  });
})();
