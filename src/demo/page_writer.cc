#include "demo/page_writer.h"

#include <cmath>

#include "base/number.h"

namespace sonde::demo {
namespace {

// As Python writes floats: a whole number has ".0".
void AppendPythonFloat(std::string& out, double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) {
    AppendInt(out, static_cast<std::int64_t>(value));
    out += ".0";
  } else {
    AppendFloatG(out, value);
  }
}

void AppendLabel(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += "=\"";
  out += value;
  out += "\",";
}

}  // namespace

PageWriter::PageWriter(std::string& page, PageLabels common) : page_(page) {
  for (const auto& [name, value] : common)
    AppendLabel(common_, name, value);
  AppendLabel(common_, "simulated", "true");
}

void PageWriter::Family(std::string_view name, std::string_view help, std::string_view type) {
  name_ = name;
  page_ += "# HELP ";
  page_ += name;
  page_ += ' ';
  page_ += help;
  page_ += "\n# TYPE ";
  page_ += name;
  page_ += ' ';
  page_ += type;
  page_ += '\n';
}

void PageWriter::Line(std::string_view suffix, PageLabels labels, double value) {
  page_ += name_;
  page_ += suffix;
  page_ += '{';
  page_ += common_;
  for (const auto& [name, text] : labels)
    AppendLabel(page_, name, text);
  page_.back() = '}';
  page_ += ' ';
  AppendPythonFloat(page_, value);
  page_ += '\n';
}

void PageWriter::Sample(double value, PageLabels labels) {
  Line("", labels, value);
}

void PageWriter::Histogram(const SimHistogram& histogram) {
  std::uint64_t below = 0;
  std::string bound;
  for (std::size_t i = 0; i < histogram.bounds().size(); ++i) {
    below += histogram.counts()[i];
    bound.clear();
    AppendPythonFloat(bound, histogram.bounds()[i]);
    Line("_bucket", {{"le", bound}}, static_cast<double>(below));
  }
  Line("_bucket", {{"le", "+Inf"}}, static_cast<double>(histogram.count()));
  Line("_count", {}, static_cast<double>(histogram.count()));
  Line("_sum", {}, histogram.sum());
}

}  // namespace sonde::demo
