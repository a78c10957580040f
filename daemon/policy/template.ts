/** What the file says before its person changes it: the rules that hold anyway, and examples. */
export const TEMPLATE = `# Which messages come before your Claude sessions, and when. It is yours: verbs that a session runs can't change it.
# It counts as soon as it is saved; \`claudemesh policy edit\` checks it first, \`claudemesh policy test\` tries it.

# Rules for what others send, in order: the first that fits decides; what fits none is accepted. All conditions of a rule
# have to fit; each may be one value or a list.
#   from       a member's name, alice/payments for one session, or a member's id, which stays when the name changes
#   role       owner, admin, member, guest: the sender's
#   workspace  its name
#   kind       direct (to you), session (to a session by its name), topic, group, everyone, mention
#   priority   now, next, low
#   do         accept · hold: until you \`claudemesh message release\` or \`drop\` it · refuse
inbound:
#  - { from: alice, do: accept }
#  - { role: guest, kind: [direct, session], do: hold }
#  - { from: carol/deploy-bot, workspace: acme, do: refuse }

# What comes in these hours waits until they end (this machine's time).
quiet:
#  - { from: "22:00", to: "07:00" }
#  - { from: "12:00", to: "13:00", days: [mon, tue, wed, thu, fri], urgent: accept }  # lets --priority now through

# Messages of one peer that a session is shown in a minute; what is beyond waits for the next one.
rate: 120

# Sessions that answer each other with nobody typing: so many times, then it is held for you.
hops: 8

# The same words from the same session within ten minutes: so many times, then held.
repeats: 3

# How often a day messages may wake an idle session; what is beyond waits for its next turn.
wakeups: 200

# Sessions that run without permission prompts: accept, hold or refuse what others send.
bypass: hold
`;
