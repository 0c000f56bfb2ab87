#!/bin/sh
# Makes the secrets of the compose stack, once. What is there is kept, always; nothing secret is
# printed. Run it again at any time: it makes what is missing and mends owners and modes.
#
#   docker/secrets.sh [HOST]        all that the stack needs; HOST is the name or address that
#                                   bikes use (for the certificate; this machine's name if left out)
#   docker/secrets.sh vendor NAME   a password for one more vendor, or reader of MQTT
#
# As root, each file is given to the user of the one container that reads it. Mode 600 keeps out
# everybody else, so without root the containers cannot read them either, and this says so.
set -eu
umask 077

here=$(CDPATH='' cd "$(dirname "$0")/.." && pwd)
secrets=${ZHIXUN_SECRETS:-$here/secrets}
settings=${ZHIXUN_ENV_FILE:-$here/.env}

# User ids inside the images; docker-compose.yml names the same.
mosquitto=1883 influxdb=1000 grafana=472 station=10001

say() { printf '%s\n' "$*" >&2; }
fail() { say "secrets.sh: $*"; exit 1; }

# random BYTES
random() { od -An -N"${1:-24}" -tx1 /dev/urandom | tr -d ' \n'; }

# own FILE UID: who may read it. Files that are there already are mended too.
own() {
    chmod 600 "$secrets/$1"
    if [ "$(id -u)" -eq 0 ]; then chown "$2:$2" "$secrets/$1"; fi
}

# A file is written beside its place and renamed, so that a half-written one never stays.
keep() {
    [ -s "$secrets/$1" ] && return 1
    cat >"$secrets/$1.new"
    mv "$secrets/$1.new" "$secrets/$1"
    say "made secrets/$1"
}

# Ends the last line of a file that somebody has edited, so that another can follow.
ended() {
    if [ -s "$1" ] && [ -n "$(tail -c 1 "$1")" ]; then echo >>"$1"; fi
}

secret() {
    random | keep "$1" || :
    own "$1" "$2"
}


# mosquitto's own tool hashes; from this machine, or out of the broker's image.
hash_passwords() {
    if command -v mosquitto_passwd >/dev/null 2>&1; then
        mosquitto_passwd -U "$1/passwords"
    elif command -v docker >/dev/null 2>&1; then
        image=$(sed -n 's/^ *image: *\(eclipse-mosquitto:[^ ]*\).*/\1/p' "$here/docker-compose.yml")
        docker run --rm --network none --user "$(id -u):$(id -g)" --volume "$1:/passwords" \
            --entrypoint mosquitto_passwd "$image" -U /passwords/passwords
    else
        fail "neither mosquitto_passwd nor docker is here; install docker, or mosquitto"
    fi
}

# user NAME FILE: an entry in the broker's password file for the password in FILE.
user() {
    if [ -f "$secrets/mqtt_passwords" ] && grep -q "^$1:" "$secrets/mqtt_passwords"; then
        return
    fi
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    printf '%s:%s\n' "$1" "$(cat "$secrets/$2")" >"$work/passwords"
    hash_passwords "$work"
    grep -q "^$1:\\$" "$work/passwords" || fail "the password of $1 was not hashed"
    # Appended, not renamed: a running container has this very file mounted.
    ended "$secrets/mqtt_passwords"
    cat "$work/passwords" >>"$secrets/mqtt_passwords"
    rm -rf "$work"
    trap - EXIT
    say "made the MQTT user $1"
}

authority() {
    [ -s "$secrets/mqtt_ca.key" ] && [ -s "$secrets/mqtt_ca.pem" ] && return
    openssl ecparam -name prime256v1 -genkey -noout -out "$secrets/mqtt_ca.key"
    openssl req -x509 -new -sha256 -days 7300 -key "$secrets/mqtt_ca.key" \
        -subj "/CN=Zhixun MQTT authority" -out "$secrets/mqtt_ca.pem"
    say "made secrets/mqtt_ca.pem: give it to vendors, it is not secret"
}

certificate() {
    if [ ! -s "$secrets/mqtt_server.pem" ] || [ ! -s "$secrets/mqtt_server.key" ]; then
        case $1 in
            *[!0-9.]*) name="DNS:$1" ;;
            *) name="IP:$1" ;;
        esac
        case $1 in *:*) name="IP:$1" ;; esac
        request=$secrets/request
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 \
            -subj "/CN=$1" -keyout "$request.key" -out "$request.csr" 2>/dev/null
        printf '%s\n' "subjectAltName=$name,DNS:localhost,IP:127.0.0.1" \
            "basicConstraints=CA:FALSE" "extendedKeyUsage=serverAuth" >"$request.ext"
        openssl x509 -req -sha256 -days 1825 -in "$request.csr" -extfile "$request.ext" \
            -CA "$secrets/mqtt_ca.pem" -CAkey "$secrets/mqtt_ca.key" -set_serial "0x$(random 16)" \
            -out "$request.pem" 2>/dev/null
        mv "$request.key" "$secrets/mqtt_server.key"
        mv "$request.pem" "$secrets/mqtt_server.pem"
        rm -f "$request.csr" "$request.ext"
        say "made secrets/mqtt_server.pem for $1, for five years"
    fi
    openssl x509 -in "$secrets/mqtt_server.pem" -noout -checkend 5184000 >/dev/null ||
        say "secrets/mqtt_server.pem ends within 60 days: see Certificates in docs/operations.md"
}

# The containers read these of the checkout, each as a user of its own. A strict umask of whoever
# cloned it keeps them out: a broker without its settings, dashboards that stay empty.
mounted() {
    for folder in docker dashboards/grafana/generated samples; do
        chmod -R go+rX "$here/$folder" || say "containers may be unable to read $folder"
    done
}

# The station's MQTT client id. Whoever connects with it takes its session, and with it whatever
# the broker has kept for the station, so it is not a name that a vendor could guess.
client_id() {
    if [ -f "$settings" ] && grep -q '^ZHIXUN_CLIENT_ID=.' "$settings"; then return; fi
    ended "$settings"
    printf 'ZHIXUN_CLIENT_ID=zhixun-%s\n' "$(random)" >>"$settings"
    chmod 600 "$settings"
    if [ "$(id -u)" -eq 0 ]; then chown --reference="$here/docker-compose.yml" "$settings"; fi
    say "wrote ZHIXUN_CLIENT_ID to ${settings##*/}"
}

stack() {
    command -v openssl >/dev/null 2>&1 || fail "openssl is not here; install it (apt-get install openssl)"
    secret mqtt_patrol $station
    secret mqtt_hello $station
    secret mqtt_health $mosquitto
    secret mqtt_dispatch 0
    user patrol mqtt_patrol
    user hello mqtt_hello
    user health mqtt_health
    user dispatch mqtt_dispatch
    own mqtt_passwords $mosquitto
    # Options for mosquitto_sub, which would otherwise show the password in the process list.
    printf '%s\n' "-u health" "-P $(cat "$secrets/mqtt_health")" | keep mqtt_health_options || :
    own mqtt_health_options $mosquitto

    authority
    own mqtt_ca.key 0
    chmod 644 "$secrets/mqtt_ca.pem"
    certificate "$1"
    own mqtt_server.pem $mosquitto
    own mqtt_server.key $mosquitto

    secret influx_admin_password $influxdb
    secret influx_admin_token $influxdb
    # InfluxDB makes its own tokens and leaves them here; docker/influxdb/tokens.sh.
    for reader in patrol grafana; do
        mkdir -p "$secrets/influxdb/$reader"
        chmod 750 "$secrets/influxdb" "$secrets/influxdb/$reader"
        if [ -e "$secrets/influxdb/$reader/token" ]; then
            chmod 640 "$secrets/influxdb/$reader/token"
        fi
    done
    if [ "$(id -u)" -eq 0 ]; then chown -R "$influxdb:$influxdb" "$secrets/influxdb"; fi
    secret grafana_admin_password $grafana
    secret grafana_secret_key $grafana
    client_id
    mounted
}

mkdir -p "$secrets"
chmod 700 "$secrets"
if [ "${1:-}" = vendor ]; then
    name=${2:-}
    case $name in
        '' | *[!A-Za-z0-9_-]*) fail "usage: docker/secrets.sh vendor NAME, of A-Z a-z 0-9 _ -" ;;
        patrol | dispatch | health | coverage | alerts) fail "the name $name is taken by the system" ;;
    esac
    [ -f "$secrets/mqtt_passwords" ] || fail "run docker/secrets.sh first"
    random | keep "mqtt_$name" || :
    chmod 600 "$secrets/mqtt_$name"
    user "$name" "mqtt_$name"
    say "The password is in secrets/mqtt_$name. Then: docker compose kill --signal HUP mosquitto"
else
    stack "${1:-$(hostname)}"
fi

if [ "$(id -u)" -ne 0 ]; then
    say "Not root: the containers cannot read these files yet. Run sudo docker/secrets.sh"
fi
