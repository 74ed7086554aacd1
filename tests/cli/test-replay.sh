#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A failure is the same everywhere; a changed one is noticed, with its place.
. "$(dirname "$0")/lib.sh"
s=$data/lost-wakeup.lua
f=lost-wakeup-fails.failure

status 1 "$RINGSIDE" explore --db none "$s"
digest=$(sed -n 's/^digest: //p' out)
schedule=$(sed -n 's/^schedule: //p' out)
[ -n "$digest" ] || fail "no digest"
status 1 "$RINGSIDE" replay --db none "$f"
says "digest: $digest"
status 1 env LC_ALL=C.UTF-8 TZ=Asia/Tokyo "$RINGSIDE" replay --db none "$f"
says "digest: $digest"
# Where the system lets us: without randomised addresses.
if setarch -R true 2>/dev/null; then
	status 1 setarch -R "$RINGSIDE" replay --db none "$f"
	says "digest: $digest"
fi
status 1 "$RINGSIDE" run --db none --schedule "$schedule" "$s"
says "digest: $digest"

# Quoted in a mail.
sed 's/^/> /' "$f" >mail
{ echo "Hello,"; cat mail; echo "Regards"; } >mail2
status 1 "$RINGSIDE" replay --db none mail2
says "digest: $digest"

# Another digest, another number of choices, a pick that cannot be.
sed "s/$digest/0123456789abcdef/" "$f" >other
status 3 "$RINGSIDE" replay --db none other
complains "diverged"
status 3 "$RINGSIDE" run --db none --schedule "rs1:0a2/9:3:$digest" "$s"
complains "diverged"
status 2 "$RINGSIDE" run --db none --schedule "rs1:zz:3:$digest" "$s"
complains "character 5"
sed 's/^schedule: rs1:/schedule: rs9:/' "$f" >broken
status 2 "$RINGSIDE" replay --db none broken
complains "broken:"
sed 's/^verdict: .*/verdict: lost/' "$f" >broken
status 2 "$RINGSIDE" replay --db none broken
complains "broken:12:"

# The scenario changed meanwhile: the run is another one.
sed 's/^\t*point() *$/note("changed") point()/' "$s" >lost-wakeup.lua
sed 's|^scenario: .*|scenario: lost-wakeup.lua|' "$f" >moved
status 3 "$RINGSIDE" replay --db none moved
complains "diverged"

for format in json perfetto html; do
	status 0 "$RINGSIDE" show --format $format --out picture "$f"
	[ -s picture ] || fail "no $format"
done
finish
