#!/bin/bash
# Is nginx itself answering? Plain bash, because the image has no HTTP client for sure; so it knows no proxy, either, whatever the
# environment says. Prints one line.
{ exec 3<>/dev/tcp/127.0.0.1/8081; } 2>/dev/null || { echo "nginx does not accept connections"; exit 1; }
printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3
read -r -t 2 status <&3
case $status in
    *" 200 "*) echo ok ;;
    *) echo "nginx answered: ${status:-nothing within 2 s}"; exit 1 ;;
esac
