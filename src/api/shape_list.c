/* SPDX-License-Identifier: PostgreSQL */
/* shape_list.c: the shapes that several routes share, in alphabetical order; see shape.h. */
#include "api/shape.h"

/* What the list of targets and one target have in common. */
#define TARGET                                                                              \
    "id: uuid, name: text, kind: text, group: text?, address: any, port: any, role: any,"   \
    " version: any,"                                                                        \
    " version_num: any, system_identifier: any, collector_id: text?, attributes: {*: any}," \
    " state: text(new|live|down|stale|offline), reason: text? 'why it is down',"            \
    " last_sample_ms: ms?, every_ms: int,"                                                  \
    " first_seen_ms: ms, load_aas: num? 'average active sessions, last minute', vcpus: num?"

const struct shape_named shape_list[] = {
    {"Authority", "{name: text, kind: text(issuing|root), generation: int, fingerprint: text,"
                  " not_before: time?, not_after: time?, retires_at: time? 'when it is no longer"
                  " trusted, before its end'}"},
    {"Collector", "{id: uuid, name: text, hostname: text, address: text, version: text,"
                  " group: text 'which its targets get when they are first seen',"
                  " status: text(registered|active|offline|error|revoked|pending|suspended),"
                  " last_seen: time?,"
                  " certificate_thumbprint: text?, certificate_expires_at: time?,"
                  " config_version: int 'in effect', config_version_newest: int,"
                  " config_error: text? 'why a version is not in effect', metrics_count_total: int,"
                  " metrics_count_24h: int 'a rolling window', health_check_interval: int"
                  " 'seconds', over_limits: [text] 'limits beyond which something was left out',"
                  " created_at: time?}"},
    {"Column", "{name: text, kind: text(gauge|counter|delta|text), unit: text, type~: text,"
               " help~: text}"},
    {"Event", "{id: int, t_ms: ms, server: uuid?, collector: uuid?, kind: text,"
              " severity: text(debug|info|warning|error|critical), title: text,"
              " body: any 'what belongs to this kind'}"},
    {"Gap", "{from_ms: ms, to_ms: ms, reason: text?}"},
    {"ManagedInstance",
     "{id: int, name: text, description: text, endpoint: text, port: int, database: text,"
     " environment: text, master_username: text, password_is_set: bool,"
     " ssl_mode: text(disable|allow|prefer|require|verify-ca|verify-full),"
     " verifies_server: bool 'by its name', monitoring_interval: int 'seconds',"
     " connection_timeout: int 'seconds', status: text(registering|registered|monitoring|paused),"
     " last_connection_status: text(unknown|connected|error), last_heartbeat: time?,"
     " last_error_message: text? 'of now; null when all is well', last_error_time: time?,"
     " last_error_stage: text(dns|tcp|tls|auth|database|rights)?, fix: text? 'SQL that would"
     " help', last_tried_at: time?, state_since: time?, server_version: text?, tags: any,"
     " group: text 'of its target too',"
     " target_id: uuid 'of the server in /servers', version: int, created_by: text,"
     " created_at: time?, updated_at: time?}"},
    {"Probe", "{probe: text, state: text?, reason: text?, fix: text?, last_run_ms: num?,"
              " duration_ms: num?, rows: num?, runs: num, errors: num}"},
    {"Problem", "{type: text, title: text, status: int, detail: text,"
                " instance: text? 'the request id', code: int 'the status again',"
                " message: text 'the detail again', *: any}"},
    {"Relation", "{name: text, help: text, shape: text(fact|object), sparse: bool, keys: [text],"
                 " columns: [Column], every_ms: int, last_t_ms: ms,"
                 " last_flags: [text(complete|keyframe|failed)],"
                 " truncated: bool 'there were more rows than are read', reason: text?,"
                 " scopes: [{scope: text 'a database', objects: int, last_t_ms: ms,"
                 " last_flags: [text(complete|keyframe|failed)], truncated: bool,"
                 " reason: text?}]}"},
    {"Secret", "{id: int, name: text, secret~: text 'in the answer that made it alone',"
               " ca_fingerprint~: text 'the same, for pga agent enroll',"
               " allowed: text 'ranges of addresses it holds for', approval: text(auto|manual),"
               " group: text 'of the agents that enrol with it',"
               " max_registrations: int, total_registrations: int, expires_at: time?,"
               " last_used_at: time?, created_at: time?}"},
    {"Session", "{token: text, refresh_token: text, expires_at: time, csrf_token: text,"
                " must_enrol: bool 'nothing else is open before there is a second factor',"
                " message: text, user: User}"},
    {"Signin", "{id: text, username: text, address: text, agent: text 'what the client calls"
               " itself', current: bool 'the session of this request', created_at: time,"
               " last_used_at: time, ends_at: time 'at the latest'}"},
    {"Target", "{" TARGET "}"},
    {"TargetDetail", "{" TARGET ", host_hidden: bool 'the host is not among the targets that"
                     " the caller sees', collector: {id: text, name: text?, hostname: text?,"
                     " version: text?, last_seen_ms: ms}?, relations: [Relation],"
                     " probes: [Probe], gaps: [Gap]}"},
    {"Token", "{id: int, name: text, scope: text(metrics|read|write|admin),"
              " token~: text 'in the answer that made it alone', username: text, expires_at: time,"
              " last_used_at: time?, last_address: text, created_at: time}"},
    {"User", "{id: int, username: text, email: text?, full_name: text?,"
             " role: text(viewer|operator|admin|owner|auditor),"
             " groups: [text]? 'of targets that it sees; null: all', is_active: bool,"
             " last_login: time?, totp~: bool 'a second factor is in use; where accounts are"
             " asked for'}"},
};
const size_t shape_list_count = sizeof(shape_list) / sizeof(shape_list[0]);
