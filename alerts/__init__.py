"""What must be done about it: patrol policy, rules, lifecycle, book, notification.

Data flows one way::

    configuration ──▶ spans, closures ▶ hours ▶ policy ▶ plan      what is asked of a zone
    coverage ──▶ patrols (port)                                     what was patrolled
    telemetry ──▶ fleet (port)                                      how bikes and vendors are
                                    │
          plan + patrols + now ▶ rules, conditions, outlook         a status, and findings
              plan + fleet + now ▶ fleet_rules                      findings
                                    │
                   open alert + finding ▶ findings ▶ lifecycle      steps the table allows
                                    │            (zone_judge, fleet_judge, escalation)
                                    │
             evaluator ▶ book (book_file, book_rows)   rows, on disk
                                    │
    calendar ▶ periods ▶ desk ▶ bulletin, bulletin_rows             reminders and bulletins
                                    │            ▲
                                    │            └── people: acknowledge, assign, shelve, close
                     notify/outbox ▶ notify/mqtt, notify/apprise    told until it arrived

`spans`, `closures`, `hours`, `policy`, `plan`, `rulebook`, `rules`, `conditions`, `outlook`,
`fleet_rules`, `escalation`, `findings`, `lifecycle`, `alert`, `periods` and `bulletin` are
pure: no clock, no file, no network. The evaluator and the desk call them with `now_ms` and
record what follows. The book's transaction also fills the outbox, so a crash at any moment
loses neither a transition or bulletin nor its notification.
"""
