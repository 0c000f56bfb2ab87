"""What must be done about it: patrol policy, rules, lifecycle, book, notification.

Data flows one way::

    configuration ──▶ spans, closures ▶ hours ▶ policy ▶ plan      what is asked of a zone
    coverage ──▶ patrols (port)                                     what was patrolled
                                    │
          plan + patrols + now ▶ rules, conditions                  a status, and findings
                                    │
                   open alert + finding ▶ findings ▶ lifecycle      steps the table allows
                                    │
             evaluator ▶ book (book_file, book_rows)                rows, on disk
                                    │            ▲
                                    │            └── people: acknowledge, assign, shelve, close
                     notify/outbox ▶ notify/mqtt, notify/apprise    told until it arrived

`spans`, `closures`, `hours`, `policy`, `plan`, `rules`, `conditions`, `findings`, `lifecycle`
and `alert` are pure: no clock, no file, no network. The evaluator calls them with `now_ms`
and records what follows. The book's transaction also fills the outbox, so a crash at any
moment loses neither a transition nor its notification.
"""
