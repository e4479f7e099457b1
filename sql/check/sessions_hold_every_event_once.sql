-- Each row is a customer whose events on web sites and in apps are not, each once, those of their sessions.
with

counted as (

    select
        customer_id,
        source,
        cast(count(*) as bigint) as n_events
    from timeline
    where is_visit
    group by customer_id, source

),

held as (

    select
        customer_id,
        source,
        cast(sum(n_events) as bigint) as n_events
    from sessions
    group by customer_id, source

),

compared as (

    select
        counted.customer_id,
        counted.source,
        counted.n_events,
        held.n_events as n_held
    from counted
    left join held on counted.customer_id = held.customer_id and counted.source = held.source
    where coalesce(held.n_events, cast(0 as bigint)) <> counted.n_events

),

unknown as (

    select
        held.customer_id,
        held.source,
        cast(0 as bigint) as n_events,
        held.n_events as n_held
    from held
    left anti join counted on held.customer_id = counted.customer_id and held.source = counted.source

)

select * from compared
union all
select * from unknown
