-- Each row is a month of the churn ledger, of everybody or one value of a dimension, that its customers by name do not add up to.
with

named as (

    select
        period_start,
        'all' as dimension,
        'all' as dimension_value,
        is_start,
        is_new,
        n_resurrected,
        n_churned,
        is_churned_of_start,
        is_end,
        mrr_start,
        mrr_new,
        mrr_expansion,
        mrr_contraction,
        mrr_churned,
        mrr_reactivated,
        mrr_end
    from churn_ledger_customers
    union all
    select
        period_start,
        'acquisition_channel' as dimension,
        acquisition_channel as dimension_value,
        is_start,
        is_new,
        n_resurrected,
        n_churned,
        is_churned_of_start,
        is_end,
        mrr_start,
        mrr_new,
        mrr_expansion,
        mrr_contraction,
        mrr_churned,
        mrr_reactivated,
        mrr_end
    from churn_ledger_customers
    union all
    select
        period_start,
        'country' as dimension,
        country as dimension_value,
        is_start,
        is_new,
        n_resurrected,
        n_churned,
        is_churned_of_start,
        is_end,
        mrr_start,
        mrr_new,
        mrr_expansion,
        mrr_contraction,
        mrr_churned,
        mrr_reactivated,
        mrr_end
    from churn_ledger_customers
    union all
    select
        period_start,
        'relationship' as dimension,
        relationship as dimension_value,
        is_start,
        is_new,
        n_resurrected,
        n_churned,
        is_churned_of_start,
        is_end,
        mrr_start,
        mrr_new,
        mrr_expansion,
        mrr_contraction,
        mrr_churned,
        mrr_reactivated,
        mrr_end
    from churn_ledger_customers
    union all
    select
        period_start,
        'source' as dimension,
        source as dimension_value,
        is_start,
        is_new,
        n_resurrected,
        n_churned,
        is_churned_of_start,
        is_end,
        mrr_start,
        mrr_new,
        mrr_expansion,
        mrr_contraction,
        mrr_churned,
        mrr_reactivated,
        mrr_end
    from churn_ledger_customers

),

added as (

    select
        period_start,
        dimension,
        dimension_value,
        count(*) filter (where is_start) as n_start,
        count(*) filter (where is_new) as n_new,
        sum(n_resurrected) as n_resurrected,
        sum(n_churned) as n_churned,
        count(*) filter (where is_churned_of_start) as n_churned_of_start,
        count(*) filter (where is_end) as n_end,
        sum(coalesce(mrr_start, cast(0 as decimal(18, 4)))) as mrr_start,
        sum(coalesce(mrr_new, cast(0 as decimal(18, 4)))) as mrr_new,
        sum(coalesce(mrr_expansion, cast(0 as decimal(18, 4)))) as mrr_expansion,
        sum(coalesce(mrr_contraction, cast(0 as decimal(18, 4)))) as mrr_contraction,
        sum(coalesce(mrr_churned, cast(0 as decimal(18, 4)))) as mrr_churned,
        sum(coalesce(mrr_reactivated, cast(0 as decimal(18, 4)))) as mrr_reactivated,
        sum(coalesce(mrr_end, cast(0 as decimal(18, 4)))) as mrr_end
    from named
    group by period_start, dimension, dimension_value

),

months as (

    select * from churn_ledger
    where period_grain = 'month'

)

select
    months.period_start,
    months.dimension,
    months.dimension_value
from months
left join added
    on
        months.period_start = added.period_start
        and months.dimension = added.dimension
        and months.dimension_value = added.dimension_value
where
    months.n_start <> coalesce(added.n_start, 0)
    or months.n_new <> coalesce(added.n_new, 0)
    or months.n_resurrected <> coalesce(added.n_resurrected, 0)
    or months.n_churned <> coalesce(added.n_churned, 0)
    or months.n_churned_of_start <> coalesce(added.n_churned_of_start, 0)
    or months.n_end <> coalesce(added.n_end, 0)
    or coalesce(months.mrr_start, cast(0 as decimal(18, 4))) <> coalesce(added.mrr_start, cast(0 as decimal(18, 4)))
    or coalesce(months.mrr_new, cast(0 as decimal(18, 4))) <> coalesce(added.mrr_new, cast(0 as decimal(18, 4)))
    or coalesce(months.mrr_expansion, cast(0 as decimal(18, 4))) <> coalesce(added.mrr_expansion, cast(0 as decimal(18, 4)))
    or coalesce(months.mrr_contraction, cast(0 as decimal(18, 4))) <> coalesce(added.mrr_contraction, cast(0 as decimal(18, 4)))
    or coalesce(months.mrr_churned, cast(0 as decimal(18, 4))) <> coalesce(added.mrr_churned, cast(0 as decimal(18, 4)))
    or coalesce(months.mrr_reactivated, cast(0 as decimal(18, 4))) <> coalesce(added.mrr_reactivated, cast(0 as decimal(18, 4)))
    or coalesce(months.mrr_end, cast(0 as decimal(18, 4))) <> coalesce(added.mrr_end, cast(0 as decimal(18, 4)))
