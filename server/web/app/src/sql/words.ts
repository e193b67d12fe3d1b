// The words of DuckDB's SQL that statements need: what the server runs is one SELECT, and functions that compute.
export const keywords =
  'all and any as asc asof at between by case cast cross cube desc describe distinct else end except exclude exists ' +
  'false filter first following for from full group grouping having ilike in inner intersect interval is isnull join ' +
  'lateral last left like limit materialized natural not notnull nulls offset on or order outer over partition pivot ' +
  'positional preceding qualify range recursive replace respect ignore right rollup rows sample select semi anti sets ' +
  'similar summarize table tablesample then timestamp to true try_cast unbounded union unique unpivot using values ' +
  'version when where window with within columns null'

export const types =
  'bigint blob boolean bool bit char date datetime decimal double float hugeint int integer interval json list map ' +
  'numeric real smallint struct text time timestamp timestamptz tinyint ubigint uhugeint uinteger union usmallint ' +
  'utinyint uuid varchar'

export const functions =
  'abs age any_value approx_count_distinct approx_quantile arg_max arg_min array_agg avg bit_count bool_and bool_or ' +
  'ceil coalesce concat concat_ws contains corr count count_if covar_pop current_date date_diff date_part date_trunc ' +
  'day dayname dense_rank ends_with entropy epoch exp extract first first_value floor format generate_series greatest ' +
  'histogram hour if ifnull json_extract json_extract_string kurtosis lag last last_value lead least left length len ' +
  'list list_aggregate list_contains list_distinct list_filter list_sort list_transform ln log lower lpad ltrim mad ' +
  'make_date max md5 median min minute mode month now nth_value ntile nullif percent_rank position power quantile ' +
  'quantile_cont quarter range rank regexp_extract regexp_full_match regexp_matches regexp_replace replace reverse ' +
  'right round row_number rpad rtrim second sha256 sign skewness split split_part sqrt starts_with stddev strftime ' +
  'string_agg string_split strptime struct_extract substring sum trim trunc typeof unnest upper var_pop variance ' +
  'week weekday year'
