-- Each row is a model whose customers have become others than those of its reference: raise clv.fit when that is right.
-- severity: warn
select
    as_of,
    segment,
    model,
    parameter,
    estimate,
    reference_estimate,
    reference_loss
from clv_model_parameters
where has_drifted
