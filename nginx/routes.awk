# Makes nginx's locations of the table `routes`: folder/door.conf, folder/inside.conf, and folder/routes.conf for the level above.
# Says which line cannot be used, and exits 1.  awk -v folder=/tmp/generated -f routes.awk routes

function refuse(why) {
    printf "routes, line %d: %s\n", FNR, why > "/dev/stderr"
    refused = 1
}

{ sub(/#.*/, "") }
NF == 0 { next }

$1 == "body" && NF > 2 {
    if ($2 !~ /^[0-9]+[km]$/) refuse("expected a size such as 20m, found " $2)
    for (i = 3; i <= NF; i++) {
        if ($i in body) refuse("a second size for " $i)
        body[$i] = $2
    }
    next
}

$1 == "route" && ($7 == "free" && NF == 7 || $7 == "counted" && NF == 9) {
    if ($2 != "door" && $2 != "inside") refuse("expected door or inside, found " $2)
    if ($3 != "=" && $3 != "^~") refuse("expected = or ^~, found " $3)
    if ($4 !~ /^\/[A-Za-z0-9\/._=-]*$/) refuse("expected a plain path, found " $4)
    if (($5 $6) !~ /^[a-z_]+$/) refuse("expected a kind and a name of small letters and _, found " $5 " " $6)
    if (($2 == "inside") != ($5 ~ /^inside_/)) refuse($5 " is no kind for " $2)
    if ($7 == "counted" && ($8 == "-") != ($9 == "-")) refuse("frames without a counter for the prompt, or the other way round")
    kinds[$5] = 1
    if ($2 == "inside") inside[$4] = 1
    if ($7 == "counted" && $9 != "-") counters[$9] = 1
    locations[$2] = locations[$2] location()
    next
}

{ refuse("expected body SIZE KIND… or route WHERE MATCH PATH KIND NAME free|counted FRAMES COUNTER") }

function location(    text) {
    text = "location " $3 " " $4 " {\n    set $route " $6 ";\n"
    if ($7 == "counted") {
        text = text "    set $counted yes;\n"
        if ($8 != "-") text = text "    set $frames " $8 ";\n    set $prompt_counter " $9 ";\n"
        if (!($6 in counted)) names = names (names ? " " : "") $6
        counted[$6] = 1
    }
    if ($5 in body) text = text "    client_max_body_size " body[$5] ";\n"
    return text "    include /etc/nginx/snippets/" $5 ".conf;\n}\n"
}

END {
    for (path in counters) if (!(path in inside)) refuse(path " counts prompts, but is no route inside")
    for (kind in body) if (!(kind in kinds) && kind != "other") refuse("a size for " kind ", which no route is")
    if (!("other" in body)) refuse("no size for other")
    if (refused) exit 1
    printf "%s", locations["door"] > (folder "/door.conf")
    printf "%s", locations["inside"] > (folder "/inside.conf")
    printf "client_max_body_size %s;\n", body["other"] > (folder "/routes.conf")
    printf "map \"\" $counted_routes {\n    default \"%s\";\n}\n", names > (folder "/routes.conf")
}
