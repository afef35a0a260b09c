#include "promql/fast_binary.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <span>
#include <utility>

#include "promql/fast_operators.h"

// Chains of binary operators. A chain is as long as the query, so it is worked off in a loop. What
// applies a scalar to a vector is done in passing, while the series flow; only two vectors have to
// be collected before they can meet.

namespace sonde::promql {
namespace {

// Works on a vector by a scalar, or on a scalar by a vector.
struct ScalarLink {
  const BinaryExpr* binary = nullptr;
  Column
      scalar;  // A single value if it is always the same one: a query may have very many of them.
  bool scalar_left = false;

  double at(std::size_t i) const { return scalar.size() == 1 ? scalar[0] : scalar[i]; }
};

bool SameBits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

Column ShortenIfConstant(Column scalar) {
  const double first = scalar[0];
  if (!std::ranges::all_of(scalar, [&](double v) { return SameBits(v, first); })) return scalar;
  return Column(1, first);
}

void ApplyScalars(const BinaryExpr& binary, Column& left, const Column& right) {
  for (std::size_t i = 0; i < left.size(); ++i) {
    left[i] = IsComparison(binary.op) ? (Holds(binary.op, left[i], right[i]) ? 1.0 : 0.0)
                                      : Arithmetic(binary.op, left[i], right[i]);
  }
}

class ScalarChainNode final : public ScalarNode {
 public:
  ScalarChainNode(ScalarPlan first, std::vector<ChainLink> links)
      : first_(std::move(first)), links_(std::move(links)) {}

  Result<Column> Run(PlanRun& run, const Grid& grid) override {
    Column left = TRY(first_->Run(run, grid));
    for (ChainLink& link : links_) {
      const Column right = TRY(link.right.scalar->Run(run, grid));
      ApplyScalars(*link.binary, left, right);
      TRY(run.CheckAlive());
    }
    return left;
  }

 private:
  ScalarPlan first_;
  std::vector<ChainLink> links_;
};

// Hands on what a run of scalar links makes of each series. The run may be as long as the query, so
// it is a loop, too.
class ScalarLinksSink final : public VectorSink {
 public:
  // `unique` as in NameDropper.
  ScalarLinksSink(PlanRun& run, std::span<const ScalarLink> links, bool unique, VectorSink& sink)
      : run_(run),
        meter_(run),
        links_(links),
        sink_(sink),
        rest_sink_(*this),
        dropper_(run, rest_sink_, unique) {
    while (dropping_ < links_.size() && KeepsName(*links_[dropping_].binary))
      ++dropping_;
  }

  Status Accept(const ColumnSeries& series) override {
    const std::size_t first_part = std::min(dropping_ + 1, links_.size());
    if (!Apply(links_.first(first_part), series.values)) return meter_.status();
    if (dropping_ == links_.size()) return sink_.Accept(series);
    // Names go with the first operator that drops them. Those after it can take elements away but
    // not add any, so labels that are unique here stay so.
    return dropper_.Pass(series.labels, series.values);
  }

 private:
  // What comes out of the dropper.
  class RestSink final : public VectorSink {
   public:
    explicit RestSink(ScalarLinksSink& links) : links_(links) {}
    Status Accept(const ColumnSeries& series) override {
      const auto rest = links_.links_.subspan(links_.dropping_ + 1);
      return links_.Apply(rest, series.values) ? links_.sink_.Accept(series)
                                               : links_.meter_.status();
    }

   private:
    ScalarLinksSink& links_;
  };

  static bool KeepsName(const BinaryExpr& binary) {
    return IsTrim(binary.op) || (IsComparison(binary.op) && !binary.return_bool);
  }

  // False if nothing is left of the series, or the query must stop.
  bool Apply(std::span<const ScalarLink> links, Column& values) {
    for (const ScalarLink& link : links) {
      if (meter_.Stops(values.size())) return false;
      if (IsTrim(link.binary->op)) {
        NoteTrim(*link.binary);
        return false;
      }
      const bool any =
          IsComparison(link.binary->op) ? Compare(link, values) : Calculate(link, values);
      if (!any) return false;
    }
    return true;
  }

  static bool Calculate(const ScalarLink& link, Column& values) {
    const BinaryOp op = link.binary->op;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (IsMissing(values[i])) continue;
      values[i] = link.scalar_left ? Arithmetic(op, link.at(i), values[i])
                                   : Arithmetic(op, values[i], link.at(i));
    }
    return true;
  }

  // Keeps the elements for which it holds, or says for each whether it does.
  static bool Compare(const ScalarLink& link, Column& values) {
    const BinaryExpr& binary = *link.binary;
    bool any = false;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double v = values[i];
      if (IsMissing(v)) continue;
      const bool holds =
          link.scalar_left ? Holds(binary.op, link.at(i), v) : Holds(binary.op, v, link.at(i));
      if (binary.return_bool) {
        values[i] = holds ? 1.0 : 0.0;
      } else if (!holds) {
        values[i] = kMissing;
      }
      any = any || IsPresent(values[i]);
    }
    return any;
  }

  // A histogram is trimmed by a float; there is none here.
  void NoteTrim(const BinaryExpr& binary) {
    run_.notes().set_source(binary.position);
    run_.notes().IncompatibleTypes("float", binary.op, "float", binary.position);
  }

  PlanRun& run_;
  WorkMeter meter_;
  const std::span<const ScalarLink> links_;
  std::size_t dropping_ = 0;  // The first link that drops names.
  VectorSink& sink_;
  RestSink rest_sink_;
  NameDropper dropper_;
};

class VectorChainNode final : public VectorNode {
 public:
  VectorChainNode(Operand first, std::vector<ChainLink> links)
      : first_(std::move(first)), links_(std::move(links)) {}

  Status Run(PlanRun& run, const Grid& grid, VectorSink& sink) override {
    State state;
    if (first_.is_scalar()) {
      state.scalar = TRY(first_.scalar->Run(run, grid));
    } else {
      state.source = first_.vector.get();
    }
    for (ChainLink& link : links_) {
      TRY(Apply(run, grid, link, state));
    }
    TRY(Emit(run, grid, state, sink));
    run.Release(state.held);
    return OkStatus();
  }

  // As long as only scalars are applied, the series are those of the one vector.
  bool FindUniqueLabels() const override {
    const VectorNode* only = OnlyVector();
    return only != nullptr && only->HasUniqueLabels() && only->HasUniqueLabelsWithoutName();
  }
  bool FindUniqueLabelsWithoutName() const override { return HasUniqueLabels(); }

 private:
  // What stands on the left so far: a scalar, or series from `source` or in `series`, with
  // operators that are still to be applied to them.
  struct State {
    Column scalar;
    VectorNode* source = nullptr;
    bool collected = false;
    SeriesList series;
    std::uint64_t held = 0;  // Samples in `series`, scalars in `pending`.
    std::vector<ScalarLink> pending;

    bool is_scalar() const { return source == nullptr && !collected; }
  };

  const VectorNode* OnlyVector() const {
    const VectorNode* only = first_.vector.get();
    for (const ChainLink& link : links_) {
      if (link.right.is_scalar()) continue;
      if (only != nullptr) return nullptr;
      only = link.right.vector.get();
    }
    return only;
  }

  static Status Apply(PlanRun& run, const Grid& grid, ChainLink& link, State& state) {
    if (link.right.is_scalar()) {
      Column right = TRY(link.right.scalar->Run(run, grid));
      if (state.is_scalar()) {
        ApplyScalars(*link.binary, state.scalar, right);
      } else {
        state.pending.push_back({link.binary, ShortenIfConstant(std::move(right)), false});
        const std::size_t size = state.pending.back().scalar.size();
        state.held += size;
        TRY(run.Hold(size));
      }
      return run.CheckAlive();
    }
    if (state.is_scalar()) {
      state.source = link.right.vector.get();
      state.pending.push_back({link.binary, ShortenIfConstant(std::move(state.scalar)), true});
      return OkStatus();
    }
    SeriesKeeper left(run);
    TRY(Emit(run, grid, state, left));
    run.Release(state.held);
    state = State{};
    SeriesKeeper right(run);
    TRY(link.right.vector->Run(run, grid, right));
    state.series = TRY(MatchVectors(run, grid, *link.binary, left.series(), right.series()));
    state.collected = true;
    for (const KeptSeries& series : state.series) {
      state.held += HeldSize(series.values);
    }
    return run.Hold(state.held);
  }

  // Runs the left side through its pending operators.
  static Status Emit(PlanRun& run, const Grid& grid, State& state, VectorSink& sink) {
    const bool unique = state.source != nullptr && state.source->HasUniqueLabelsWithoutName();
    ScalarLinksSink links(run, state.pending, unique, sink);
    if (state.source != nullptr) return state.source->Run(run, grid, links);
    for (KeptSeries& series : state.series) {
      TRY(links.Accept({series.labels, series.drop_name, series.values}));
    }
    return OkStatus();
  }

  Operand first_;
  std::vector<ChainLink> links_;
};

}  // namespace

double Arithmetic(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd:
      return a + b;
    case BinaryOp::kSub:
      return a - b;
    case BinaryOp::kMul:
      return a * b;
    case BinaryOp::kDiv:
      return a / b;
    case BinaryOp::kMod:
      return std::fmod(a, b);
    case BinaryOp::kPow:
      return std::pow(a, b);
    case BinaryOp::kAtan2:
      return std::atan2(a, b);
    default:
      break;
  }
  CHECK(false);
  return 0;
}

bool Holds(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kEqual:
      return a == b;
    case BinaryOp::kNotEqual:
      return a != b;
    case BinaryOp::kLess:
      return a < b;
    case BinaryOp::kLessEqual:
      return a <= b;
    case BinaryOp::kGreater:
      return a > b;
    case BinaryOp::kGreaterEqual:
      return a >= b;
    default:
      break;
  }
  CHECK(false);
  return false;
}

ScalarPlan PlanScalarChain(ScalarPlan first, std::vector<ChainLink> links) {
  return std::make_unique<ScalarChainNode>(std::move(first), std::move(links));
}

VectorPlan PlanVectorChain(Operand first, std::vector<ChainLink> links) {
  return std::make_unique<VectorChainNode>(std::move(first), std::move(links));
}

}  // namespace sonde::promql
