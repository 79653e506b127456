// SPDX-License-Identifier: PostgreSQL
//
// detail.ts: the pages behind the overview of a server, loaded when the first of them is opened.
export { DataPage, RowsPage } from "./data";
export { QueriesPage } from "./queries";
export { QueryPage } from "./query";
export { SessionsPage } from "./sessions";
