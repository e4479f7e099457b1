-- One row per member of a campaign that responded.
-- grain: source_id
-- canonical: campaign_touches
with

raw as (

    select * from raw_salesforce__campaign_members
    where has_responded is not null

),

mapped as (

    select
        record_id,
        attributes,
        member_id as source_id,
        updated_at as source_updated_at,
        extracted_at,
        -- A response may be taken back.
        coalesce(is_deleted, false) or not has_responded as is_deleted,
        coalesce(contact_id, lead_id) as customer_source_id,
        'other' as channel,
        campaign_id as campaign_source_id,
        'replied' as action,
        coalesce(responded_at, updated_at) as occurred_at
    from raw

)

select * from mapped
