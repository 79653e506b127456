/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_seal_columns.c: every column that holds sealed fields, for their renewal.
 *
 * Each has two statements in store/sql, as seal_root_key_list.sql and seal_root_key_put.sql.
 */
#include "store/store_seal.h"

const struct store_seal_column store_seal_columns[] = {
    {STORE_SEAL_CA, "authority", "sealed_key", "seal_authority_list", "seal_authority_put"},
    {STORE_SEAL_TOTP, "account_totp", "seed", "seal_account_totp_list", "seal_account_totp_put"},
    {STORE_SEAL_ROOT, "root_key", "sealed", "seal_root_key_list", "seal_root_key_put"},
    {STORE_SEAL_CREDENTIAL, "managed_instance", "password", "seal_managed_list",
     "seal_managed_put"},
};
const size_t store_seal_column_count = sizeof(store_seal_columns) / sizeof(store_seal_columns[0]);
