#!/bin/sh
# Run once, when the database is made: the role that the service connects as. It owns nothing, so that the database itself keeps
# accounts apart; what it may do is granted by the migrations.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$SERVICE_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" << 'SQL'
CREATE ROLE service LOGIN PASSWORD :'password';
SQL
