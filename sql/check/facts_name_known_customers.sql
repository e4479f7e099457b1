-- Each row is a customer that a fact names and that the table of customers does not have.
with

named as (

    select 'conversations' as table_name, customer_id from conversations
    union all
    select 'feedback' as table_name, customer_id from feedback
    union all
    select 'interactions' as table_name, customer_id from interactions
    union all
    select 'orders' as table_name, customer_id from orders
    union all
    select 'sessions' as table_name, customer_id from sessions
    union all
    select 'subscriptions' as table_name, customer_id from subscriptions

),

counted as (

    select
        table_name,
        customer_id,
        count(*) as n_rows
    from named
    where customer_id is not null
    group by table_name, customer_id

),

unknown as (

    select
        counted.table_name,
        counted.customer_id,
        counted.n_rows
    from counted
    left anti join customers on counted.customer_id = customers.customer_id

)

select * from unknown
