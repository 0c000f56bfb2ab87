// @ts-check
// The page of the API's own document, on which every route can be tried. What changes something
// goes with the token of the session.
const config = JSON.parse(document.getElementById("config")?.textContent ?? "{}");

/** @type {any} */ (window).SwaggerUIBundle({
  url: config.document,
  dom_id: "#reference",
  deepLinking: true,
  validatorUrl: null, // it would ask another server
  requestInterceptor: (/** @type {any} */ request) => {
    if (config.csrf) request.headers["X-CSRF-Token"] = config.csrf;
    return request;
  },
});
