-- One row per order that another row of the same sale stands for.
-- grain: order_id
with

-- The label of a row sorts as the precedence does: order, invoice, charge, deal, analytics.
sales as (

    select
        order_id,
        source_id,
        order_number,
        sale_reference,
        invoice_source_id,
        coalesce(sale_kind, 'order') as kind,
        case coalesce(sale_kind, 'order')
            when 'order' then '1:'
            when 'invoice' then '2:'
            when 'charge' then '3:'
            when 'deal' then '4:'
            else '5:'
        end || order_id as label
    from current_orders
    where not is_test

),

ways (way) as (

    values ('sale'), ('invoice')

),

-- what a row says of the sale it belongs to
said as (

    select
        sales.order_id,
        sales.label,
        case ways.way when 'sale' then sales.sale_reference else sales.invoice_source_id end as name
    from sales
    cross join ways

),

referring as (

    select
        order_id,
        label,
        lower(trim(replace(name, '#', ''))) as reference
    from said
    where name is not null and trim(replace(name, '#', '')) <> ''

),

wanted as (

    select distinct reference from referring

),

-- What a row is called by others. A deal or an analytics event is never referred to, and its
-- number may by chance be that of an order.
called as (

    select
        sales.order_id,
        sales.label,
        lower(trim(replace(case ways.way when 'sale' then sales.order_number else sales.source_id end, '#', '')))
            as reference
    from sales
    cross join ways
    where
        sales.kind = 'order'
        or (sales.kind in ('invoice', 'charge') and ways.way = 'invoice')

),

links as (

    select
        order_id,
        label,
        reference
    from referring
    union all
    select
        called.order_id,
        called.label,
        called.reference
    from called
    inner join wanted on called.reference = wanted.reference

),

-- The best of all rows that share a reference; twice, as a charge may join an invoice to an order.
best_of_reference as (

    select
        reference,
        min(label) as best
    from links
    group by reference

),

best_of_row as (

    select
        links.order_id,
        min(best_of_reference.best) as best
    from links
    inner join best_of_reference on links.reference = best_of_reference.reference
    group by links.order_id

),

best_again as (

    select
        links.reference,
        min(best_of_row.best) as best
    from links
    inner join best_of_row on links.order_id = best_of_row.order_id
    group by links.reference

),

settled as (

    select
        links.order_id,
        links.label,
        min(best_again.best) as best
    from links
    inner join best_again on links.reference = best_again.reference
    group by links.order_id, links.label

)

-- Rows of one rank are parts of a sale, as two payments of one order are.
select
    order_id,
    substr(best, 3) as counted_as
from settled
where substr(best, 1, 1) < substr(label, 1, 1)
