// SPDX-License-Identifier: PostgreSQL
//
// admin.ts: the pages about pga itself, loaded together when the first of them is opened.
export { AboutPage } from "./about";
export { AccountPage } from "./account";
export { AuditPage } from "./audit";
export { CollectorsPage } from "./collectors";
export { ManagedPage } from "./managed";
export { SecretsPage } from "./secrets";
export { EnrolPage } from "./totp";
export { UsersPage } from "./users";
