-- One row per contact and thing it has refused or allowed; these are states without a date.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_intercom__contacts

),

purposes (purpose) as (

    values ('email_marketing'), ('sms')

),

stated as (

    select
        raw.*,
        purposes.purpose,
        case
            when purposes.purpose = 'email_marketing' and raw.unsubscribed_from_emails
                then 'withdrawn'
            when purposes.purpose = 'email_marketing' and raw.marked_email_as_spam then 'withdrawn'
            -- having unsubscribed counts before having agreed
            when purposes.purpose = 'sms' and raw.unsubscribed_from_sms then 'withdrawn'
            when purposes.purpose = 'sms' and raw.sms_consent then 'granted'
            -- no longer refusing is not agreeing
            when purposes.purpose = 'email_marketing' and raw.unsubscribed_from_emails is not null
                then 'unknown'
            when purposes.purpose = 'sms' and raw.unsubscribed_from_sms is not null then 'unknown'
        end as state
    from raw
    cross join purposes

),

mapped as (

    select
        record_id,
        contact_id || ':' || purpose as source_id,
        updated_at as source_updated_at,
        extracted_at,
        coalesce(is_deleted, false) or coalesce(is_archived, false) as is_deleted,
        contact_id as customer_source_id,
        external_id,
        email,
        phone,
        purpose,
        case when purpose = 'sms' then 'sms' else 'email' end as channel,
        state,
        true as is_snapshot
    from stated
    where state is not null

)

select * from mapped
