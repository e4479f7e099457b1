-- Each row is a model whose fit did not converge: its readings are null.
-- severity: warn
select
    as_of,
    segment,
    model,
    parameter
from clv_model_parameters
where status = 'not_converged'
