-- Each row is a survey with more answered than asked, more complete than answered, or a rate off its range.
select
    source,
    survey,
    period_grain,
    period_start,
    n_invitations,
    n_delivered,
    n_opened,
    n_answered,
    n_responses,
    n_completed
from survey_participation
where
    is_suppressed = false
    and (
        n_delivered > n_invitations
        or n_opened > n_delivered
        or n_answered > n_invitations
        or n_answered > n_responses
        or n_completed > n_responses
        or n_incentivised > n_responses
        or n_customers > n_invitations
        or contacts_90_days < cast(1 as double)
        or response_low > response_rate
        or response_high < response_rate
        or median_hours_to_answer < cast(0 as double)
    )
