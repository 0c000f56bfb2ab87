"""Patrol policy, alert rules, the alert book, notification.

Data flows one way::

    configuration ──▶ duty_hours, calendar_exceptions ▶ policy ▶ plan   what is asked of a zone
    geofence ──▶ record and state of a zone; telemetry ──▶ fleet
                                      │
                cases ▶ rules (one module each) ▶ findings              does a condition hold
                                      │
         open alert + finding ▶ findings ▶ lifecycle (rules/judge)      steps the table allows
                                      │
                     evaluator ▶ store/book                             rows, on disk
                                      │
    calendar ▶ periods ▶ desk ▶ bulletin, store/outbox                  reminders and bulletins
                                      │            ▲
                                      │            └── people: acknowledge, assign, shelve, close
                       notify/outbox ▶ notify/mqtt, notify/apprise      told until it arrived

All but `store`, `notify`, `orders`, `evaluator` and `desk` is pure: no clock, no file, no network.
The evaluator and the desk call it with `now_ms` and record what follows. The book's transaction
also fills the outbox, so a crash at any moment loses neither a transition or bulletin nor its
notification.
"""
