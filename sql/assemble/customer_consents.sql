-- One row per person, purpose and channel of a consent: the word that counts.
-- grain: customer_id, purpose, channel
with

ledger as (

    select
        identity_key,
        coalesce(purpose, 'unspecified') as purpose,
        coalesce(channel, '(none)') as channel,
        state,
        legal_basis,
        case when coalesce(is_snapshot, false) then cast(null as timestamp) else effective_at end
            as effective_at,
        dt,
        source,
        consent_id as record_id
    from current_consents
    where not is_test

),

-- What the records of people say of e-mail.
profiles as (

    select
        identity_key,
        'email_marketing' as purpose,
        'email' as channel,
        email_consent as state,
        cast(null as string) as legal_basis,
        email_consent_at as effective_at,
        dt,
        source,
        contact_id as record_id
    from current_contacts
    where email_consent is not null and not is_test

),

statements as (

    select * from ledger
    union all
    select * from profiles

),

known as (

    select
        keys.customer_id,
        statements.purpose,
        statements.channel,
        lower(statements.state) as state,
        statements.legal_basis,
        statements.effective_at,
        statements.source,
        statements.dt,
        statements.record_id
    from statements
    inner join identity_keys as keys on statements.identity_key = keys.identity_key
    -- Who was asked and said nothing takes nothing back.
    where lower(statements.state) in ('granted', 'denied', 'withdrawn')

),

-- A statement without a time of its own loses against one with; of one time, a denial wins.
ranked as (

    select
        customer_id,
        purpose,
        channel,
        state,
        legal_basis,
        effective_at,
        source,
        dt,
        count(*) over (
            partition by customer_id, purpose, channel
            rows between unbounded preceding and unbounded following
        ) as n_statements,
        row_number() over (
            partition by customer_id, purpose, channel
            order by
                effective_at desc nulls last,
                case when state = 'granted' then 1 else 0 end asc nulls last,
                dt desc nulls last,
                state asc nulls last,
                source asc nulls last,
                record_id asc nulls last
        ) as place
    from known

)

select
    customer_id,
    purpose,
    channel,
    state as consent_state,
    state = 'granted' as is_granted,
    effective_at,
    dt as stated_date,
    legal_basis,
    source,
    n_statements
from ranked
where place = 1
