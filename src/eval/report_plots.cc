#include "eval/report_plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "eval/report_format.h"

namespace brevet {
namespace {

constexpr std::size_t kColours = 8;
constexpr std::size_t kMarkersUpTo = 14;  // a curve of more points is a line with a band instead of markers
constexpr std::size_t kLabelsMax = 18;
constexpr double kPinBeyond = .5;  // of the range of what is compared
constexpr double kIntervalRoom = .35;
constexpr double kCharacterPx = 6.3, kLabelPx = 13;

struct Box {
  double left, top, right, bottom;
  bool overlaps(const Box& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
};

/// A value range mapped to pixels.
struct Scale {
  double low = 0, high = 1, from = 0, to = 1;
  bool logarithmic = false;

  double at(double value) const {
    if (logarithmic) return position(std::log(value), std::log(low), std::log(high));
    return position(value, low, high);
  }

 private:
  double position(double value, double a, double b) const {
    return b > a ? from + (value - a) / (b - a) * (to - from) : (from + to) / 2;
  }
};

/// Round numbers (1, 2 or 5 times a power of ten apart) inside [low, high].
std::vector<double> ticks(double low, double high, int about) {
  std::vector<double> out;
  if (!(high > low)) return {low};
  const double rough = (high - low) / about, power = std::pow(10, std::floor(std::log10(rough)));
  double step = power * 10;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (power * factor >= rough) {
      step = power * factor;
      break;
    }
  }
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k) out.push_back(k * step);
  return out;
}

/// Digits that tell neighbouring ticks apart.
int digits_for(const std::vector<double>& values) {
  if (values.size() < 2) return 2;
  return std::clamp(static_cast<int>(std::ceil(-std::log10(values[1] - values[0]) - 1e-9)), 0, 4);
}

std::string px(double value) {
  return fixed(value, 1);
}

std::string marker(std::size_t shape, double x, double y, double r, std::string_view css,
                   std::string_view title) {
  const auto polygon = [&](std::initializer_list<std::pair<double, double>> corners) {
    std::string list;
    for (const auto& [dx, dy] : corners) list += px(x + r * dx) + "," + px(y + r * dy) + " ";
    list.pop_back();
    return fmt::format("<polygon class=\"mark {}\" points=\"{}\">", css, list);
  };
  std::string open, name = "polygon";
  switch (shape % 6) {
    case 0:
      open = fmt::format("<circle class=\"mark {}\" cx=\"{}\" cy=\"{}\" r=\"{}\">", css, px(x), px(y), px(r));
      name = "circle";
      break;
    case 1:
      open = polygon({{-.9, -.9}, {.9, -.9}, {.9, .9}, {-.9, .9}});
      break;
    case 2:
      open = polygon({{0, -1.2}, {1.1, .8}, {-1.1, .8}});
      break;
    case 3:
      open = polygon({{0, -1.25}, {1.25, 0}, {0, 1.25}, {-1.25, 0}});
      break;
    case 4:
      open = polygon({{0, 1.2}, {1.1, -.8}, {-1.1, -.8}});
      break;
    default:
      open = polygon({{-.4, -1.2},
                      {.4, -1.2},
                      {.4, -.4},
                      {1.2, -.4},
                      {1.2, .4},
                      {.4, .4},
                      {.4, 1.2},
                      {-.4, 1.2},
                      {-.4, .4},
                      {-1.2, .4},
                      {-1.2, -.4},
                      {-.4, -.4}});
  }
  return open + "<title>" + html_text(title) + "</title></" + name + ">";
}

std::string star(double x, double y, double r, std::string_view title) {
  std::string list;
  for (int i = 0; i < 10; ++i) {
    const double angle = i * 3.14159265358979 / 5, length = i % 2 == 0 ? r : r * .45;
    list += px(x + length * std::sin(angle)) + "," + px(y - length * std::cos(angle)) + " ";
  }
  list.pop_back();
  return fmt::format("<polygon class=\"star\" points=\"{}\"><title>{}</title></polygon>", list,
                     html_text(title));
}

std::string text_at(double x, double y, std::string_view css, std::string_view anchor,
                    std::string_view text) {
  return fmt::format("<text class=\"{}\" x=\"{}\" y=\"{}\" text-anchor=\"{}\">{}</text>", css, px(x), px(y),
                     anchor, html_text(text));
}

std::string line_between(double x1, double y1, double x2, double y2, std::string_view css) {
  return fmt::format("<line class=\"{}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>", css, px(x1), px(y1),
                     px(x2), px(y2));
}

std::string quality_text(const Measured& quality) {
  auto out = percent(quality.mean) + "%";
  if (quality.ci95) out += " [" + percent(quality.ci95->low) + ", " + percent(quality.ci95->high) + "]";
  return out;
}

/// Labels beside points, placed greedily where no earlier one stands; one that finds no room is left out (its
/// figures are in the hover title and the table).
class Labels {
 public:
  Labels(Box inside) : inside_(inside) {}
  /// Keeps labels off a mark.
  void occupy(double x, double y, double r) { taken_.push_back({x - r, y - r, x + r, y + r}); }
  std::string place(double x, double y, std::string_view text, std::string_view css) {
    if (placed_ >= kLabelsMax) return {};
    const auto shown = shortened_middle(text, 30);
    const double width = static_cast<double>(text_width(shown)) * kCharacterPx;
    const struct {
      double dx, dy;
      const char* anchor;
    } sides[] = {{9, 4, "start"},    {0, -10, "middle"}, {-9, 4, "end"},    {0, 19, "middle"},
                 {9, -8, "start"},   {9, 16, "start"},   {-9, -8, "end"},   {-9, 16, "end"},
                 {12, -20, "start"}, {12, 28, "start"},  {-12, -20, "end"}, {-12, 28, "end"}};
    for (const auto& side : sides) {
      const double at = x + side.dx, base = y + side.dy;
      const double left = side.anchor[0] == 's' ? at : side.anchor[0] == 'e' ? at - width : at - width / 2;
      const Box box{left, base - kLabelPx + 3, left + width, base + 3};
      if (box.left < inside_.left || box.right > inside_.right || box.top < inside_.top ||
          box.bottom > inside_.bottom)
        continue;
      if (std::any_of(taken_.begin(), taken_.end(), [&](const Box& other) { return box.overlaps(other); }))
        continue;
      taken_.push_back(box);
      ++placed_;
      return text_at(at, base, css, side.anchor, shown);
    }
    return {};
  }

 private:
  Box inside_;
  std::vector<Box> taken_;
  std::size_t placed_ = 0;
};

struct Frame {
  double width, height, left, right, top, bottom;
};

std::string axes(const Frame& frame, const Scale& x, const Scale& y, const std::vector<double>& x_ticks,
                 const std::vector<double>& y_ticks, const std::vector<std::string>& x_texts,
                 const std::vector<std::string>& y_texts) {
  std::string out;
  for (std::size_t i = 0; i < y_ticks.size(); ++i) {
    out += line_between(frame.left, y.at(y_ticks[i]), frame.width - frame.right, y.at(y_ticks[i]), "grid");
    out += text_at(frame.left - 7, y.at(y_ticks[i]) + 4, "tick", "end", y_texts[i]);
  }
  for (std::size_t i = 0; i < x_ticks.size(); ++i) {
    out += line_between(x.at(x_ticks[i]), frame.top, x.at(x_ticks[i]), frame.height - frame.bottom, "grid");
    out += text_at(x.at(x_ticks[i]), frame.height - frame.bottom + 17, "tick", "middle", x_texts[i]);
  }
  out += line_between(frame.left, frame.height - frame.bottom, frame.width - frame.right,
                      frame.height - frame.bottom, "axis");
  return out;
}

std::string svg_open(const Frame& frame, std::string_view label) {
  return fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">", px(frame.width),
                     px(frame.height), html_text(label));
}

std::vector<std::string> texts_of(const std::vector<double>& values, double factor) {
  std::vector<double> scaled;
  for (const double value : values) scaled.push_back(value * factor);
  std::vector<std::string> out;
  for (const double value : scaled) out.push_back(fixed(value, digits_for(scaled)));
  return out;
}

std::string path_of(const std::vector<std::pair<double, double>>& points) {
  std::string out;
  for (const auto& [x, y] : points) out += (out.empty() ? "M" : "L") + px(x) + "," + px(y);
  return out;
}

/// A range of the data with a little air around it.
struct Bounds {
  double low = 1e300, high = -1e300;
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  void add(const Measured& figure) {
    add(figure.mean);
    if (figure.ci95) {
      add(figure.ci95->low);
      add(figure.ci95->high);
    }
  }
  bool any() const { return low <= high; }
  void widen(double share) {
    const double air = high > low ? (high - low) * share : std::max(std::abs(high) * .05, .01);
    low -= air;
    high += air;
  }
};

}  // namespace

bool is_mixture(std::string_view strategy) {
  return strategy == "random_mixture" || strategy == "zero_router";
}

SeriesStyles::SeriesStyles(const EvalReport& report) {
  const auto add = [&](const std::string& name) {
    if (std::find(names_.begin(), names_.end(), name) == names_.end()) names_.push_back(name);
  };
  // What was asked for first, so that it has the colours that differ most; then baselines that choose.
  for (const bool baseline : {false, true}) {
    for (const auto& data : report.datasets) {
      for (const auto& curve : data.plane.curves) {
        if (curve.baseline == baseline && !is_mixture(curve.strategy)) add(curve.strategy);
      }
    }
  }
  for (const auto& data : report.datasets) {
    for (const auto& curve : data.learning) add(curve.strategy);
    for (const auto& diagram : data.reliability) add(diagram.strategy);
  }
}

SeriesStyles::Style SeriesStyles::of(std::string_view strategy) const {
  const auto found = std::find(names_.begin(), names_.end(), strategy);
  if (found == names_.end()) return {"muted", 0};
  const auto place = static_cast<std::size_t>(found - names_.begin());
  return {"c" + std::to_string(place % kColours), place};
}

std::string swatch_svg(const SeriesStyles::Style& style, bool dashed, bool marked) {
  const auto line = line_between(1, 8, 33, 8, "curve " + style.css + (dashed ? " dashed" : ""));
  return "<svg class=\"swatch\" viewBox=\"0 0 34 16\" aria-hidden=\"true\">" + line +
         (!marked ? "" : marker(style.marker, 17, 8, 4.5, style.css, "")) + "</svg>";
}

bool plane_has_costs(const CostQualityPlane& plane) {
  const auto has = [](const PlanePoint& point) { return point.cost_rel.has_value(); };
  for (const auto& curve : plane.curves) {
    if (std::any_of(curve.points.begin(), curve.points.end(), has)) return true;
  }
  return std::any_of(plane.single_models.begin(), plane.single_models.end(),
                     [&](const NamedPoint& named) { return has(named.point); });
}

std::string plane_svg(const DatasetReport& data, const SeriesStyles& styles) {
  const auto& plane = data.plane;
  const bool costs = plane_has_costs(plane);
  const auto x_of = [&](const PlanePoint& point) { return costs ? point.cost_rel : point.strong_share; };

  // What is compared sets the scale; an oracle or a stray model far above or below it is pinned to the edge,
  // so that it does not press the rest flat.
  Bounds xs, ys;
  const auto look_at = [&](const PlanePoint& point, Bounds& bounds) {
    if (const auto x = x_of(point)) {
      xs.add(*x);
      bounds.add(point.quality.mean);
    }
  };
  const auto of_the_pair = [&](const NamedPoint& named) {
    return std::find(data.models.begin(), data.models.end(), named.name) != data.models.end();
  };
  for (const auto& curve : plane.curves) {
    for (const auto& point : curve.points) look_at(point, ys);
  }
  for (const auto& named : plane.single_models) {
    if (of_the_pair(named)) look_at(named.point, ys);
  }
  Bounds others;
  for (const auto& named : plane.single_models) look_at(named.point, others);
  for (const auto& named : plane.oracles) look_at(named.point, others);
  if (!ys.any()) ys = others;
  // Intervals are shown whole unless they are much wider than all that is compared.
  if (ys.any()) {
    const double room = kIntervalRoom * std::max(ys.high - ys.low, .01);
    const Bounds core = ys;
    for (const auto& curve : plane.curves) {
      for (const auto& point : curve.points) {
        if (!x_of(point) || !point.quality.ci95) continue;
        ys.add(std::max(point.quality.ci95->low, core.low - room));
        ys.add(std::min(point.quality.ci95->high, core.high + room));
      }
    }
  }
  if (others.any()) {
    const double reach = kPinBeyond * std::max(ys.high - ys.low, .01);
    const Bounds core = ys;
    const auto stretch = [&](const PlanePoint& point) {
      const double quality = point.quality.mean;
      if (x_of(point) && quality >= core.low - reach && quality <= core.high + reach) ys.add(quality);
    };
    for (const auto& named : plane.single_models) stretch(named.point);
    for (const auto& named : plane.oracles) stretch(named.point);
  }
  if (!xs.any()) return {};
  xs.add(0);
  xs.high *= 1.04;
  ys.widen(.09);
  const Frame frame{960, 500, 58, 22, 14, 52};
  const Scale x{xs.low, xs.high, frame.left, frame.width - frame.right, false};
  const Scale y{ys.low, ys.high, frame.height - frame.bottom, frame.top, false};

  auto out =
      svg_open(frame, "Quality against " + std::string(costs ? "cost" : "strong share") + " on " + data.name);
  const auto x_ticks = ticks(xs.low, xs.high, 8), y_ticks = ticks(ys.low, ys.high, 6);
  out += axes(frame, x, y, x_ticks, y_ticks, texts_of(x_ticks, costs ? 1 : 100), texts_of(y_ticks, 100));
  out += text_at((frame.left + frame.width - frame.right) / 2, frame.height - 12, "axis-title", "middle",
                 costs ? "cost of serving (always_strong = 1)" : "requests served by the strong model, %");
  out += fmt::format(
      "<text class=\"axis-title\" transform=\"translate(15,{}) rotate(-90)\" text-anchor=\"middle\">quality, "
      "%</text>",
      px((frame.top + frame.height - frame.bottom) / 2));
  out += text_at(frame.width - frame.right - 8, frame.height - frame.bottom - 10, "hint", "end",
                 "\xE2\x86\x96 better: cheaper and higher");

  if (costs && plane.hull.size() > 1) {
    std::vector<std::pair<double, double>> path;
    for (const auto& point : plane.hull) path.emplace_back(x.at(point.cost), y.at(point.quality));
    path.emplace_back(x.at(xs.high), y.at(plane.hull.back().quality));
    out += "<path class=\"hull\" d=\"" + path_of(path) +
           "\"><title>Zero router: hull of single models</title></path>";
  }

  Labels labels({frame.left + 2, frame.top + 2, frame.width - frame.right, frame.height - frame.bottom - 2});
  for (const double along : {20.0, 60.0, 100.0, 140.0, 180.0})
    labels.occupy(frame.width - frame.right - along, frame.height - frame.bottom - 14, 20);
  std::string bands, lines, marks, curve_labels;
  for (const auto& curve : plane.curves) {
    const auto style = styles.of(curve.strategy);
    const bool mixture = is_mixture(curve.strategy);
    std::vector<const PlanePoint*> points;
    for (const auto& point : curve.points) {
      if (x_of(point)) points.push_back(&point);
    }
    if (points.empty()) continue;
    std::vector<std::pair<double, double>> path, band;
    for (const auto* point : points) path.emplace_back(x.at(*x_of(*point)), y.at(point->quality.mean));
    const bool dense = points.size() > kMarkersUpTo;
    const auto title = [&](const PlanePoint& point) {
      auto text = curve.strategy + ": " + quality_text(point.quality);
      if (point.cost_rel) text += ", cost " + fixed(*point.cost_rel, 3);
      if (point.strong_share) text += ", strong share " + percent(*point.strong_share) + "%";
      return text;
    };
    if (path.size() > 1) {
      lines += fmt::format("<path class=\"curve {}{}\" d=\"{}\"><title>{}</title></path>", style.css,
                           curve.baseline ? " dashed" : "", path_of(path), html_text(curve.strategy));
    }
    if (!mixture) {
      const bool all_ranges = std::all_of(points.begin(), points.end(),
                                          [](const PlanePoint* p) { return p->quality.ci95.has_value(); });
      if (path.size() > 1 && all_ranges) {
        for (const auto* point : points)
          band.emplace_back(x.at(*x_of(*point)), y.at(point->quality.ci95->high));
        for (auto at = points.rbegin(); at != points.rend(); ++at)
          band.emplace_back(x.at(*x_of(**at)), y.at((*at)->quality.ci95->low));
        bands += fmt::format("<path class=\"band {}\" d=\"{}Z\"/>", style.css, path_of(band));
      }
      if (!dense) {
        for (std::size_t i = 0; i < points.size(); ++i) {
          if (path.size() == 1 && points[i]->quality.ci95)
            lines += line_between(path[i].first, y.at(std::max(points[i]->quality.ci95->low, ys.low)),
                                  path[i].first, y.at(std::min(points[i]->quality.ci95->high, ys.high)),
                                  "whisker " + style.css);
          if (points[i]->cost_rel_ci && costs)
            lines += line_between(x.at(points[i]->cost_rel_ci->low), path[i].second,
                                  x.at(points[i]->cost_rel_ci->high), path[i].second, "whisker " + style.css);
          marks += marker(style.marker, path[i].first, path[i].second, path.size() == 1 ? 6 : 4, style.css,
                          title(*points[i]));
        }
      } else {
        for (std::size_t tenth = 0; tenth <= 10; ++tenth) {
          const auto i = tenth * (points.size() - 1) / 10;
          marks += marker(style.marker, path[i].first, path[i].second, 3.5, style.css, title(*points[i]));
        }
      }
    }
  }
  // Pixel of a quality, at the edge when it lies beyond, with an arrow for the label.
  const auto pinned = [&](double quality) {
    if (quality > ys.high)
      return std::pair(frame.top + 11, std::string("\xE2\x86\x91 " + percent(quality) + "%"));
    if (quality < ys.low)
      return std::pair(frame.height - frame.bottom - 9,
                       std::string("\xE2\x86\x93 " + percent(quality) + "%"));
    return std::pair(y.at(quality), std::string());
  };
  const auto label_of = [](const std::string& name, const std::string& arrow) {
    return arrow.empty() ? name : shortened_middle(name, 20) + " " + arrow;
  };
  for (const auto& named : plane.single_models) {
    if (const auto at = x_of(named.point))
      labels.occupy(x.at(*at), pinned(named.point.quality.mean).first, 7);
  }
  std::string singles;
  const auto draw_single = [&](const NamedPoint& named) {
    const auto at = x_of(named.point);
    if (!at) return;
    const double px_x = x.at(*at);
    const auto [px_y, arrow] = pinned(named.point.quality.mean);
    singles += marker(1, px_x, px_y, 5, "single",
                      named.name + ": " + quality_text(named.point.quality) +
                          (costs ? ", cost " + fixed(*at, 3) : std::string()));
    singles += labels.place(px_x, px_y, label_of(named.name, arrow), "label");
  };
  for (const auto& named : plane.oracles) {
    if (const auto at = x_of(named.point)) {
      const double px_x = x.at(*at);
      const auto [px_y, arrow] = pinned(named.point.quality.mean);
      singles += star(px_x, px_y, 9,
                      named.name + ": " + quality_text(named.point.quality) +
                          (costs ? ", cost " + fixed(*at, 3) : std::string()));
      labels.occupy(px_x, px_y, 8);
      singles += labels.place(px_x, px_y, label_of(named.name, arrow), "label strong");
    }
  }
  // The pair first: its labels must find room.
  for (const auto& named : plane.single_models) {
    if (of_the_pair(named)) draw_single(named);
  }
  for (const auto& curve : plane.curves) {
    if (is_mixture(curve.strategy)) continue;
    std::vector<const PlanePoint*> points;
    for (const auto& point : curve.points) {
      if (x_of(point)) points.push_back(&point);
    }
    if (points.empty()) continue;
    // Where the curve bows most it is furthest from its neighbours.
    const auto style = styles.of(curve.strategy);
    const auto& middle = *points[points.size() == 1 ? 0 : points.size() * 2 / 5];
    curve_labels += labels.place(x.at(*x_of(middle)), y.at(middle.quality.mean), curve.strategy,
                                 "label strong " + style.css);
  }
  for (const auto& named : plane.single_models) {
    if (!of_the_pair(named)) draw_single(named);
  }
  // A frame of its own keeps what is wider than the axes inside them.
  const auto inside = fmt::format(
      "<svg x=\"{0}\" y=\"{1}\" width=\"{2}\" height=\"{3}\" viewBox=\"{0} {1} {2} {3}\">", px(frame.left),
      px(frame.top), px(frame.width - frame.left - frame.right), px(frame.height - frame.top - frame.bottom));
  return out + inside + bands + "</svg>" + lines + marks + singles + curve_labels + "</svg>";
}

std::string learning_svg(const std::vector<LearningCurve>& curves, const LearningPlot& plot,
                         const SeriesStyles& styles) {
  Bounds xs, ys;
  for (const auto& curve : curves) {
    for (const auto& point : curve.points) {
      if (!(point.*plot.figure) || point.requests == 0) continue;
      xs.add(static_cast<double>(point.requests));
      ys.add(*(point.*plot.figure));
    }
  }
  if (!ys.any()) return {};
  ys.widen(.08);
  const double x_low = xs.low;
  if (xs.high <= xs.low) {
    xs.low *= .9;
    xs.high *= 1.1;
  }
  const Frame frame{400, 270, 48, 20, 34, 44};
  const Scale x{xs.low, xs.high, frame.left + 12, frame.width - frame.right - 4, true};
  const Scale y{ys.low, ys.high, frame.height - frame.bottom, frame.top, false};
  auto out = svg_open(frame, std::string(plot.title) + " over requests");
  out += text_at(frame.left - 40, 17, "plot-title", "start", plot.title);
  std::vector<double> x_ticks;
  for (double power = 1; power <= xs.high * 1.0001; power *= 10) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double value = power * factor;
      if (value < x_low * .9999 || value > xs.high * 1.0001) continue;
      if (!x_ticks.empty() && x.at(value) - x.at(x_ticks.back()) < 44) continue;
      x_ticks.push_back(value);
    }
  }
  if (x_ticks.empty()) x_ticks.push_back(x_low);
  std::vector<std::string> x_texts;
  for (const double value : x_ticks) x_texts.push_back(grouped(static_cast<std::uint64_t>(value)));
  const auto y_ticks = ticks(ys.low, ys.high, 5);
  out += axes(frame, x, y, x_ticks, y_ticks, x_texts, texts_of(y_ticks, plot.in_percent ? 100 : 1));
  out += text_at((frame.left + frame.width - frame.right) / 2, frame.height - 8, "axis-title", "middle",
                 "requests so far");
  std::string lines, marks;
  for (const auto& curve : curves) {
    const auto style = styles.of(curve.strategy);
    std::vector<std::pair<double, double>> path;
    for (const auto& point : curve.points) {
      const auto& figure = point.*plot.figure;
      if (!figure || point.requests == 0) continue;
      const double px_x = x.at(static_cast<double>(point.requests)), px_y = y.at(figure->mean);
      path.emplace_back(px_x, px_y);
      auto title = curve.strategy + " after " + grouped(point.requests) + ": ";
      title += plot.in_percent ? quality_text(*figure) : fixed(figure->mean, 3);
      if (figure->ci95) {
        lines += line_between(px_x, y.at(figure->ci95->low), px_x, y.at(figure->ci95->high),
                              "whisker " + style.css);
        if (!plot.in_percent)
          title += " [" + fixed(figure->ci95->low, 3) + ", " + fixed(figure->ci95->high, 3) + "]";
      }
      marks += marker(style.marker, px_x, px_y, 4, style.css, title);
    }
    if (path.size() > 1)
      lines += fmt::format("<path class=\"curve {}\" d=\"{}\"/>", style.css, path_of(path));
  }
  return out + lines + marks + "</svg>";
}

std::string reliability_svg(const ReliabilityDiagram& diagram, const SeriesStyles& styles) {
  const auto& calibration = diagram.calibration;
  if (calibration.n == 0) return {};
  const Frame frame{320, 340, 46, 14, 34, 44};
  const double plot_bottom = frame.height - frame.bottom - 52;  // counts stand below the square
  const Scale x{0, 1, frame.left, frame.width - frame.right, false};
  const Scale y{0, 1, plot_bottom, frame.top, false};
  auto out = svg_open(frame, "Reliability of " + diagram.strategy);
  out += text_at(6, 17, "plot-title", "start", shortened_middle(diagram.strategy, 44));
  for (const double value : {0.0, .25, .5, .75, 1.0}) {
    out += line_between(frame.left, y.at(value), frame.width - frame.right, y.at(value), "grid");
    out += text_at(frame.left - 7, y.at(value) + 4, "tick", "end", percent(value, 0));
    out += line_between(x.at(value), frame.top, x.at(value), plot_bottom, "grid");
    out += text_at(x.at(value), frame.height - frame.bottom + 17, "tick", "middle", percent(value, 0));
  }
  out += line_between(x.at(0), y.at(0), x.at(1), y.at(1), "curve muted dashed");
  out += text_at((frame.left + frame.width - frame.right) / 2, frame.height - 8, "axis-title", "middle",
                 "predicted, %");
  out += fmt::format(
      "<text class=\"axis-title\" transform=\"translate(13,{}) rotate(-90)\" "
      "text-anchor=\"middle\">observed, %</text>",
      px((frame.top + plot_bottom) / 2));
  std::size_t most = 1;
  for (const auto& bin : calibration.bins) most = std::max(most, bin.n);
  const auto style = styles.of(diagram.strategy);
  std::vector<std::pair<double, double>> path;
  std::string marks, bars;
  const double bars_bottom = frame.height - frame.bottom, bars_height = 40;
  for (const auto& bin : calibration.bins) {
    if (bin.n == 0) continue;
    const double px_x = x.at(bin.predicted), px_y = y.at(bin.observed);
    const auto title = fmt::format("predicted {}%, observed {}%, n = {}", percent(bin.predicted),
                                   percent(bin.observed), grouped(bin.n));
    path.emplace_back(px_x, px_y);
    const double share = static_cast<double>(bin.n) / static_cast<double>(most);
    marks += marker(style.marker, px_x, px_y, 3 + 4 * std::sqrt(share), style.css, title);
    bars += fmt::format(
        "<rect class=\"bar {}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}</title></rect>",
        style.css, px(x.at(bin.low) + 1), px(bars_bottom - share * bars_height),
        px(std::max(1.0, x.at(bin.high) - x.at(bin.low) - 2)), px(share * bars_height), html_text(title));
  }
  if (path.size() > 1) out += fmt::format("<path class=\"curve {}\" d=\"{}\"/>", style.css, path_of(path));
  out += line_between(frame.left, bars_bottom, frame.width - frame.right, bars_bottom, "axis");
  return out + bars + marks + "</svg>";
}

}  // namespace brevet
