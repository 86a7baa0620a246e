"""The intermediate representation: Graph, Node, Value, TensorType, symbolic Dims, Window and Cost."""
