# SPDX-License-Identifier: PostgreSQL
# shellcheck shell=bash
#
# certs.sh: certificates made with the openssl command, for scenarios that source it.
#
# make_ca NAME [SUBJECT]: $CERTS/NAME.crt .key, of a root, by default CN=NAME
# make_cert NAME CA KIND [OPTION...]: $CERTS/NAME.crt .key (0600), signed by CA
#   KIND: client, server (for localhost, 127.0.0.1, ::1), none (no extended key usage), ca
#   OPTION: expired, early (not yet valid), rsa, sha1, name=DNS (in place of localhost)

CERTS=$T/certs
mkdir -p "$CERTS"
: >"$CERTS/index.txt"
cat >"$CERTS/openssl.cnf" <<END
[ca]
default_ca = local
[local]
database = $CERTS/index.txt
new_certs_dir = $CERTS
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
END

make_ca() { # NAME [SUBJECT]
    openssl req -x509 -config "$CERTS/openssl.cnf" -extensions root -newkey ec \
        -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$CERTS/$1.key" -out "$CERTS/$1.crt" \
        -subj "/CN=${2:-$1}" -days 3650 2>>"$T/log/openssl"
}

cert_extensions() { # KIND NAME
    if [ "$1" = ca ]; then
        echo 'basicConstraints = critical,CA:TRUE'
        echo 'extendedKeyUsage = clientAuth'
        return
    fi
    echo 'basicConstraints = CA:FALSE'
    case $1 in
        client) echo 'extendedKeyUsage = clientAuth' ;;
        server) echo 'extendedKeyUsage = serverAuth' ;;
    esac
    if [ -n "$2" ]; then
        echo "subjectAltName = DNS:$2"
    elif [ "$1" = server ]; then
        echo 'subjectAltName = DNS:localhost,IP:127.0.0.1,IP:::1'
    fi
}

make_cert() { # NAME CA KIND [OPTION...]
    local name=$1 ca=$2 kind=$3 from=20200101000000Z to=20990101000000Z md=sha256 dns=''
    local key=(ec -pkeyopt ec_paramgen_curve:P-256)
    shift 3
    for option in "$@"; do
        case $option in
            expired) to=20210101000000Z ;;
            early) from=20980101000000Z ;;
            rsa) key=(rsa:2048) ;;
            sha1) md=sha1 ;;
            name=*) dns=${option#name=} ;;
        esac
    done
    cert_extensions "$kind" "$dns" >"$CERTS/$name.ext"
    openssl req -config "$CERTS/openssl.cnf" -newkey "${key[@]}" -nodes \
        -keyout "$CERTS/$name.key" -out "$CERTS/$name.csr" -subj "/CN=$name" 2>>"$T/log/openssl" &&
        openssl ca -batch -notext -config "$CERTS/openssl.cnf" -cert "$CERTS/$ca.crt" \
            -keyfile "$CERTS/$ca.key" -md "$md" -startdate "$from" -enddate "$to" \
            -extfile "$CERTS/$name.ext" -in "$CERTS/$name.csr" -out "$CERTS/$name.crt" \
            2>>"$T/log/openssl"
    chmod 600 "$CERTS/$name.key"
}

# The same certificate with one byte of its signature changed.
tamper_cert() { # NAME OF
    python3 - "$CERTS/$2.crt" "$CERTS/$1.crt" <<'END'
import base64, re, sys
text = open(sys.argv[1]).read()
body = re.search("-----BEGIN CERTIFICATE-----(.*?)-----END", text, re.S).group(1)
der = bytearray(base64.b64decode(body))
der[-3] ^= 1
open(sys.argv[2], "w").write("-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n"
                             % base64.encodebytes(der).decode())
END
    cp "$CERTS/$2.key" "$CERTS/$1.key"
}
