-- One row per comment.
-- grain: source_id
-- canonical: social_mentions
with

raw as (

    select * from raw_generic__social_comments

),

named as (

    select
        *,
        case
            when lower(network) in ('twitter', 'twit', 'x') then 'x'
            when lower(network) in ('fb', 'facebook') then 'facebook'
            when lower(network) in ('ig', 'instagram') then 'instagram'
            when lower(network) in ('linkedin', 'youtube', 'tiktok', 'trustpilot', 'google') then lower(network)
            else 'other'
        end as own_network
    from raw

),

mapped as (

    select
        record_id,
        attributes,
        source_id,
        updated_at as source_updated_at,
        is_deleted,
        is_test,
        customer_source_id,
        email,
        external_id,
        -- The same handle on two networks is two people.
        case
            when author_handle is null then null
            when own_network = 'other' then lower(network) || ':' || lower(replace(author_handle, '@', ''))
            else own_network || ':' || lower(replace(author_handle, '@', ''))
        end as social_handle,
        own_network as network,
        coalesce(kind, case when rating is not null then 'review' else 'comment' end) as kind,
        coalesce(author_name, author_handle) as author_name,
        body_text,
        page_url,
        lower(language) as language,
        rating,
        rating_max,
        vendor_sentiment,
        in_reply_to,
        brand_profile,
        product,
        posted_at,
        case when rating < cast(0 as decimal(18, 4)) or rating > rating_max then 'off_scale' end as reject_rule,
        'rating' as reject_column,
        cast(rating as string) as reject_text
    from named

)

select * from mapped
