#!/bin/sh
# Run by InfluxDB's image, once, after it has made the organisation and the bucket.
#
# Makes the two tokens that the rest of the stack uses: the station may only write to the bucket,
# Grafana may only read it. And maps the bucket to a database of the same name, because
# dashboards ask in InfluxQL, which knows databases and retention policies and no buckets.
set -eu
umask 027

bucket=$DOCKER_INFLUXDB_INIT_BUCKET
bucket_id=$DOCKER_INFLUXDB_INIT_BUCKET_ID
folder=${ZHIXUN_TOKENS:-/tokens}

for reader in patrol grafana; do
    if [ ! -d "$folder/$reader" ] || [ ! -w "$folder/$reader" ]; then
        echo "the token for $reader cannot be left in secrets/influxdb/$reader:" \
            "run sudo docker/secrets.sh; InfluxDB tries again by itself" >&2
        exit 1
    fi
done

# token READER PERMISSION...
token() {
    reader=$1
    shift
    influx auth create --org "$DOCKER_INFLUXDB_INIT_ORG" --description "$reader" "$@" --json |
        sed -n 's/.*"token": *"\([^"]*\)".*/\1/p' >"$folder/$reader/token.new"
    if [ ! -s "$folder/$reader/token.new" ]; then
        echo "no token for $reader was made" >&2
        exit 1
    fi
    mv "$folder/$reader/token.new" "$folder/$reader/token"
}

influx v1 dbrp create --org "$DOCKER_INFLUXDB_INIT_ORG" --bucket-id "$bucket_id" \
    --db "$bucket" --rp autogen --default
token patrol --write-bucket "$bucket_id"
token grafana --read-bucket "$bucket_id" --read-dbrp
