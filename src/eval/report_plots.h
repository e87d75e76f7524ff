// The plots of the HTML report as SVG text. Used by report_html only. Pure.
//
// Colours are CSS classes (c0 .. c7 for strategies, `muted` for mixtures), so that light and dark are the
// style sheet's business; every series has a marker shape too, so that colour never carries the meaning
// alone. Hovering shows figures by <title>.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "eval/report_model.h"

namespace brevet {

/// Mixtures of models that look at no request: the grey that strategies are compared with.
bool is_mixture(std::string_view strategy);

/// Which colour and marker a strategy has in all plots of a report.
class SeriesStyles {
 public:
  explicit SeriesStyles(const EvalReport& report);
  struct Style {
    std::string css;         ///< "c3", or "muted" for a name that has no colour
    std::size_t marker = 0;  ///< shape
  };
  Style of(std::string_view strategy) const;

 private:
  std::vector<std::string> names_;
};

/// A line with its marker, for legends.
std::string swatch_svg(const SeriesStyles::Style& style, bool dashed, bool marked);

/// What the horizontal axis of the cost-quality plane is: cost where any point has one, else strong share.
bool plane_has_costs(const CostQualityPlane& plane);
/// Empty when there is nothing to draw.
std::string plane_svg(const DatasetReport& data, const SeriesStyles& styles);

/// One figure of all learning curves over the number of requests (logarithmic). Empty when no point has it.
struct LearningPlot {
  const char* title;
  std::optional<Measured> LearningPoint::*figure;
  bool in_percent;
};
std::string learning_svg(const std::vector<LearningCurve>& curves, const LearningPlot& plot,
                         const SeriesStyles& styles);

std::string reliability_svg(const ReliabilityDiagram& diagram, const SeriesStyles& styles);

}  // namespace brevet
