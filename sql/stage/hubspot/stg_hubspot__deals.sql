-- One row per deal; only one that is won is revenue.
-- grain: source_id
-- canonical: orders
with

raw as (

    select * from raw_hubspot__deals

),

mapped as (

    select
        record_id,
        attributes,
        deal_id as source_id,
        updated_at as source_updated_at,
        -- What lost fields on its way is no newer than what did not.
        case
            when lost_changes like '%NULLED%' or lost_changes like '%TRUNCATED%' then null
            else extracted_at
        end as extracted_at,
        coalesce(is_archived, false) or deleted_at is not null as is_deleted,
        contact_id as customer_source_id,
        deal_id as order_number,
        case
            when is_won or (is_won is null and stage = 'closedwon') then 'placed'
            when is_closed or stage = 'closedlost' then 'voided'
            else 'pending'
        end as status,
        'other' as channel,
        name as product,
        amount as total,
        upper(coalesce(currency, default_currency)) as currency,
        coalesce(
            case
                when is_won or is_closed or stage in ('closedwon', 'closedlost') then closed_at
            end,
            created_at
        ) as placed_at,
        company_id as account_source_id,
        'deal' as sale_kind,
        campaign
    from raw

)

select * from mapped
