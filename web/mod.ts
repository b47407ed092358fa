/**
 * What serves the library to browsers. The start page, `index.html` and
 * `page.ts`, is served with it.
 *
 * @module
 */

export { fileHandler, type Handler } from "./file_handler.ts";
