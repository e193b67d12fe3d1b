package spark

import (
	"fmt"
	"math"

	"github.com/rowback/rowback/query/spark/connect"
)

// Decimal is a number with a point, as it was written.
type Decimal string

// planOf returns what the engine is asked for: the query, with its tables, of which as many rows are read as are needed
// to know whether there are more than the limit.
func planOf(q Query) (*connect.Plan, error) {
	sql := &connect.SQL{Query: q.SQL}
	for _, v := range q.List {
		value, err := literal(v)
		if err != nil {
			return nil, err
		}
		sql.PosArguments = append(sql.PosArguments, value)
	}
	for name, v := range q.Named {
		value, err := literal(v)
		if err != nil {
			return nil, err
		}
		if sql.NamedArguments == nil {
			sql.NamedArguments = map[string]*connect.Expression{}
		}
		sql.NamedArguments[name] = value
	}
	n := &numbers{}
	root := n.relation(&connect.Relation{RelType: &connect.Relation_Sql{Sql: sql}})
	if len(q.Tables) > 0 {
		with := &connect.WithRelations{Root: root}
		for _, t := range q.Tables {
			with.References = append(with.References, n.table(t))
		}
		root = n.relation(&connect.Relation{RelType: &connect.Relation_WithRelations{WithRelations: with}})
	}
	if q.Limit != nil && *q.Limit < math.MaxInt32-1 {
		root = n.relation(&connect.Relation{RelType: &connect.Relation_Limit{
			Limit: &connect.Limit{Input: root, Limit: int32(*q.Limit) + 1},
		}})
	}
	return &connect.Plan{OpType: &connect.Plan_Root{Root: root}}, nil
}

// numbers numbers the relations of a plan, which some engines want.
type numbers struct{ last int64 }

func (n *numbers) relation(r *connect.Relation) *connect.Relation {
	id := n.last
	n.last++
	r.Common = &connect.RelationCommon{PlanId: &id}
	return r
}

// table returns a table under its name.
func (n *numbers) table(t Table) *connect.Relation {
	read := n.relation(&connect.Relation{RelType: &connect.Relation_Read{Read: &connect.Read{
		ReadType: &connect.Read_DataSource_{DataSource: &connect.Read_DataSource{
			Format: &t.Format, Paths: []string{t.Address},
		}},
	}}})
	return n.relation(&connect.Relation{RelType: &connect.Relation_SubqueryAlias{
		SubqueryAlias: &connect.SubqueryAlias{Input: read, Alias: t.Name},
	}})
}

// literal returns a value as an expression.
func literal(v any) (*connect.Expression, error) {
	out := &connect.Expression_Literal{}
	switch v := v.(type) {
	case nil:
		out.LiteralType = &connect.Expression_Literal_Null{Null: &connect.DataType{
			Kind: &connect.DataType_Null{Null: &connect.DataType_NULL{}},
		}}
	case bool:
		out.LiteralType = &connect.Expression_Literal_Boolean{Boolean: v}
	case int64:
		out.LiteralType = &connect.Expression_Literal_Long{Long: v}
	case float64:
		out.LiteralType = &connect.Expression_Literal_Double{Double: v}
	case string:
		out.LiteralType = &connect.Expression_Literal_String_{String_: v}
	case Decimal:
		out.LiteralType = &connect.Expression_Literal_Decimal_{
			Decimal: &connect.Expression_Literal_Decimal{Value: string(v)},
		}
	default:
		return nil, fmt.Errorf("a value of type %T is not a literal of Spark's", v)
	}
	return &connect.Expression{ExprType: &connect.Expression_Literal_{Literal: out}}, nil
}
