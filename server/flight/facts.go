package flight

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
)

// facts are properties of the server, whatever its options. The JDBC driver fails if many of those it asks for are
// missing.
var facts = map[flightsql.SqlInfo]any{
	flightsql.SqlInfoFlightSqlServerName:                        "Rowback",
	flightsql.SqlInfoFlightSqlServerArrowVersion:                arrow.PkgVersion,
	flightsql.SqlInfoFlightSqlServerReadOnly:                    true,
	flightsql.SqlInfoFlightSqlServerSql:                         true,
	flightsql.SqlInfoFlightSqlServerSubstrait:                   false,
	flightsql.SqlInfoFlightSqlServerTransaction:                 int32(flightsql.SqlTransactionNone),
	flightsql.SqlInfoFlightSqlServerCancel:                      false,
	flightsql.SqlInfoFlightSqlServerBulkIngestion:               true,
	flightsql.SqlInfoFlightSqlServerIngestTransactionsSupported: false,
	flightsql.SqlInfoFlightSqlServerTransactionTimeout:          int32(0),
	flightsql.SqlInfoDDLCatalog:                                 false,
	flightsql.SqlInfoDDLSchema:                                  false,
	flightsql.SqlInfoDDLTable:                                   false,
	flightsql.SqlInfoIdentifierCase:                             int64(flightsql.SqlCaseSensitivityCaseInsensitive),
	flightsql.SqlInfoQuotedIdentifierCase:                       int64(flightsql.SqlCaseSensitivityCaseInsensitive),
	flightsql.SqlInfoIdentifierQuoteChar:                        `"`,
	flightsql.SqlInfoAllTablesAreASelectable:                    true,
	flightsql.SqlInfoNullOrdering:                               int64(flightsql.SqlNullOrderingSortAtEnd),
	flightsql.SqlInfoSearchStringEscape:                         `\`,
	flightsql.SqlInfoExtraNameChars:                             "@.",
	flightsql.SqlInfoCatalogTerm:                                "project",
	flightsql.SqlInfoSchemaTerm:                                 "schema",
	flightsql.SqlInfoCatalogAtStart:                             true,
	flightsql.SqlInfoSupportsColumnAliasing:                     true,
	flightsql.SqlInfoNullPlusNullIsNull:                         true,
	flightsql.SqlInfoSupportsTableCorrelationNames:              true,
	flightsql.SqlInfoSupportsExpressionsInOrderBy:               true,
	flightsql.SqlInfoSupportsOrderByUnrelated:                   true,
	flightsql.SqlInfoSupportsLikeEscapeClause:                   true,
	flightsql.SqlInfoSupportsNonNullableColumns:                 false,
	flightsql.SqlInfoSupportsIntegrityEnhancementFacility:       false,
	flightsql.SqlInfoTransactionsSupported:                      false,
	flightsql.SqlInfoSelectForUpdateSupported:                   false,
	flightsql.SqlInfoStoredProceduresSupported:                  false,
	flightsql.SqlInfoSavePointsSupported:                        false,
	flightsql.SqlInfoNamedParametersSupported:                   true,
	flightsql.SqlInfoCorrelatedSubqueriesSupported:              true,

	// Values of a protocol enumeration are bits here: 1 stands for the value 0.
	flightsql.SqlInfoSupportsConvert:                                     map[int32][]int32{},
	flightsql.SqlInfoSupportsDifferentTableCorrelationNames:              false,
	flightsql.SqlInfoSupportedGroupBy:                                    int32(0b11),
	flightsql.SqlInfoSupportedGrammar:                                    int32(0b11),
	flightsql.SqlInfoANSI92SupportedLevel:                                int32(0b1),
	flightsql.SqlInfoOuterJoinsSupportLevel:                              int32(0b110),
	flightsql.SqlInfoProcedureTerm:                                       "",
	flightsql.SqlInfoSchemasSupportedActions:                             int32(0),
	flightsql.SqlInfoCatalogsSupportedActions:                            int32(0),
	flightsql.SqlInfoSupportedPositionedCommands:                         int32(0),
	flightsql.SqlInfoSupportedSubqueries:                                 int32(0b1111),
	flightsql.SqlInfoSupportedUnions:                                     int32(0b11),
	flightsql.SqlInfoMaxRowSizeIncludesBlobs:                             true,
	flightsql.SqlInfoDefaultTransactionIsolation:                         int64(0),
	flightsql.SqlInfoSupportedTransactionsIsolationlevels:                int32(0b1),
	flightsql.SqlInfoDataDefinitionCausesTransactionCommit:               false,
	flightsql.SqlInfoDataDefinitionsInTransactionsIgnored:                false,
	flightsql.SqlInfoSupportedResultSetTypes:                             int32(0b10),
	flightsql.SqlInfoSupportedConcurrenciesForResultSetUnspecified:       int32(0),
	flightsql.SqlInfoSupportedConcurrenciesForResultSetForwardOnly:       int32(0b10),
	flightsql.SqlInfoSupportedConcurrenciesForResultSetScrollSensitive:   int32(0),
	flightsql.SqlInfoSupportedConcurrenciesForResultSetScrollInsensitive: int32(0),
	flightsql.SqlInfoBatchUpdatesSupported:                               false,
	flightsql.SqlInfoLocatorsUpdateCopy:                                  false,
	flightsql.SqlInfoStoredFunctionsUsingCallSyntaxSupported:             false,
}

// unbounded are the facts about maximum lengths and counts, which have no limit: 0.
var unbounded = []flightsql.SqlInfo{
	flightsql.SqlInfoMaxBinaryLiteralLen, flightsql.SqlInfoMaxCharLiteralLen, flightsql.SqlInfoMaxColumnNameLen,
	flightsql.SqlInfoMaxColumnsInGroupBy, flightsql.SqlInfoMaxColumnsInIndex, flightsql.SqlInfoMaxColumnsInOrderBy,
	flightsql.SqlInfoMaxColumnsInSelect, flightsql.SqlInfoMaxColumnsInTable, flightsql.SqlInfoMaxConnections,
	flightsql.SqlInfoMaxCursorNameLen, flightsql.SqlInfoMaxIndexLen, flightsql.SqlInfoDBSchemaNameLen,
	flightsql.SqlInfoMaxProcedureNameLen, flightsql.SqlInfoMaxCatalogNameLen, flightsql.SqlInfoMaxRowSize,
	flightsql.SqlInfoMaxStatementLen, flightsql.SqlInfoMaxStatements, flightsql.SqlInfoMaxTableNameLen,
	flightsql.SqlInfoMaxTablesInSelect, flightsql.SqlInfoMaxUsernameLen,
}
