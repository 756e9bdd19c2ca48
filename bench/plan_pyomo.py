"""The plan's model in Pyomo, and its extensive form by mpi-sppy, for the comparison of build times.

The rows are those of the node template, written as Pyomo expressions node by node as one does in Pyomo; so this
compares ways of building and of handing over, not ways of modelling. bench/plan_speed.py checks that they agree.
"""

import numpy as np
import pyomo.environ as pyo

from tenfold.plan.columns import DECISIONS
from tenfold.plan.model import Template
from tenfold.plan.tree import Tree


def build(template: Template, tree: Tree) -> pyo.ConcreteModel:
    """The extensive form; variables are in the template's units. Without a weight on risk."""
    model = pyo.ConcreteModel()
    ancestors_nT = tree.ancestors_nT()
    variables = range(len(template.columns))
    whole = template.columns.integer_V
    model.x = pyo.Var(range(len(tree)), variables, within=pyo.Reals)
    for node in range(len(tree)):
        stage = template.stages[tree.stage_n[node]]
        upper_V = stage.upper_V + stage.upper_demand_VK @ tree.demand_nK[node]
        for v in variables:
            x = model.x[node, v]
            if whole[v]:
                x.domain = pyo.Integers
            x.setlb(float(stage.lower_V[v]))
            x.setub(float(upper_V[v]) if np.isfinite(upper_V[v]) else None)
    model.rows = pyo.ConstraintList()
    costs = []
    for node in range(len(tree)):
        stage = template.stages[tree.stage_n[node]]
        above = ancestors_nT[node]
        matrix = stage.matrix
        terms: list[list[object]] = [[] for _ in stage.labels]
        for row, v, lag, value in zip(matrix.row, matrix.variable, matrix.lag, matrix.value, strict=True):
            terms[row].append(float(value) * model.x[int(above[lag]), int(v)])
        lower_R = stage.row_lower_R + stage.row_demand_RK @ tree.demand_nK[node]
        for row, parts in enumerate(terms):
            lower, upper = float(lower_R[row]), float(stage.row_upper_R[row])
            body = pyo.quicksum(parts)
            if lower == upper:
                model.rows.add(body == lower)
            elif np.isfinite(lower) and np.isfinite(upper):
                model.rows.add((lower, body, upper))
            else:
                model.rows.add(body >= lower if np.isfinite(lower) else body <= upper)
        weight = float(tree.probability_n[node] * template.discount_T[tree.stage_n[node]])
        for entries, constant in stage.costs.values():
            costs += [
                weight * float(value) * model.x[int(above[lag]), int(v)]
                for v, lag, value in zip(entries.variable, entries.lag, entries.value, strict=True)
            ]
            costs.append(weight * constant)
    model.cost = pyo.Objective(expr=pyo.quicksum(costs))
    return model


def scenario_names(tree: Tree) -> list[str]:
    """Names of the scenarios for mpi-sppy."""
    return [f"scenario{place}" for place in range(len(tree.leaves()))]


def scenario_creator(name: str, *, template: Template, tree: Tree) -> pyo.ConcreteModel:
    """One scenario as mpi-sppy wants it: the model of its path, its nodes and what they may not anticipate."""
    from mpisppy.scenario_tree import ScenarioNode

    leaf = int(tree.leaves()[int(name.removeprefix("scenario"))])
    path = tree.ancestors_nT()[leaf, ::-1]
    model = build(template, tree.scenario(leaf))
    decisions = [int(v) for v in template.columns.of(DECISIONS)]
    names = _node_names(tree)
    nodes = []
    for stage, node in enumerate(path[:-1]):
        parent = int(tree.parent_n[node])
        nodes.append(
            ScenarioNode(
                name=names[node],
                cond_prob=1.0 if parent < 0 else float(tree.probability_n[node] / tree.probability_n[parent]),
                stage=stage + 1,
                cost_expression=0.0,
                nonant_list=[model.x[stage, v] for v in decisions],
                scen_model=model,
                parent_name=None if parent < 0 else names[parent],
            )
        )
    model._mpisppy_node_list = nodes
    model._mpisppy_probability = float(tree.probability_n[leaf])
    return model


def _node_names(tree: Tree) -> list[str]:
    """ROOT, ROOT_0, ROOT_0_1, ...: a node's name is its parent's and its place among the siblings."""
    names, children = ["ROOT"], np.zeros(len(tree), dtype=int)
    for node in range(1, len(tree)):
        parent = int(tree.parent_n[node])
        names.append(f"{names[parent]}_{children[parent]}")
        children[parent] += 1
    return names
