// Results as a picture: lines against size, both axes logarithmic, and bars for the rates.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "lab/report.hpp"

namespace causeway::bench {
namespace {

using perf::Test;
using perf::Touch;

constexpr double kWidth = 1240;
constexpr double kHeight = 960;
constexpr double kTop = 84;  // of the first panel
constexpr double kPanelWidth = 590;
constexpr double kPanelHeight = 430;
constexpr double kPlotLeft = 62;  // within a panel
constexpr double kPlotTop = 34;
constexpr double kPlotWidth = 370;
constexpr double kPlotHeight = 340;
constexpr double kLabelGap = 13.5;  // between the lines' names

// A line: the best of several contestants.
struct Series {
    const char* title;
    std::vector<std::string> contestants;
    const char* colour;
    double width;
    const char* dash;
};

const std::vector<Series>& all_series() {
    static const std::vector<Series> kAll{
        {"best hand-made ring", ring_kernels(), "#888888", 1.5, "5 3"},
        {"best copy on one core", copy_kernels(), "#bbbbbb", 1.5, "2 3"},
        {"Causeway direct", {"causeway-direct-send"}, "#c1121f", 3.2, ""},
        {"Causeway adapter", {"causeway-adapter-send"}, "#f77f00", 3.2, ""},
        {"UCX tag", {"ucx-tag"}, "#2a7f3f", 1.6, ""},
        {"UCX put", {"ucx-put"}, "#7bc47f", 1.6, ""},
        {"libfabric shm", {"fabric"}, "#7a4b2a", 1.6, ""},
        {"iceoryx, copied", {"iceoryx-copy"}, "#8e44ad", 1.6, ""},
        {"iceoryx, in place", {"iceoryx-in-place"}, "#c39bd3", 1.6, ""},
        {"Unix socket", {"unix", "unix-spin"}, "#1f5fa8", 1.6, ""},
        {"pipe", {"pipe", "pipe-spin"}, "#4fa3d1", 1.6, ""},
        {"TCP loopback", {"tcp", "tcp-spin"}, "#14808a", 1.6, ""},
        {"ZeroMQ ipc", {"zeromq"}, "#5b5b9a", 1.6, ""},
    };
    return kAll;
}

struct Point {
    double x;
    double y;
};

struct Line {
    const Series* series;
    std::vector<Point> points;
};

// A logarithmic range of values on a stretch of the picture.
class Scale {
public:
    Scale(double least, double most, double from, double to)
        : low_(std::log10(least)), high_(std::log10(most)), from_(from), to_(to) {
        if (high_ - low_ < 0.1) {
            low_ -= 0.5;
            high_ += 0.5;
        }
    }
    [[nodiscard]] double at(double value) const {
        return from_ + (std::log10(value) - low_) / (high_ - low_) * (to_ - from_);
    }
    [[nodiscard]] double least() const { return std::pow(10, low_); }
    [[nodiscard]] double most() const { return std::pow(10, high_); }

private:
    double low_;
    double high_;
    double from_;
    double to_;
};

std::string text(double x, double y, const std::string& words, const std::string& style) {
    return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, style, words);
}

std::string segment(double x1, double y1, double x2, double y2, const char* colour) {
    return fmt::format(
        "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\"/>\n", x1, y1,
        x2, y2, colour);
}

// 0.05, 1, 2000 -> "0.05", "1", "2000"; nanoseconds in larger units.
std::string tick_text(double value, Test test) {
    if (test != Test::latency)
        return fmt::format("{:g}", value);
    if (value >= 1e6)
        return fmt::format("{:g} ms", value / 1e6);
    return value >= 1e3 ? fmt::format("{:g} us", value / 1e3) : fmt::format("{:g} ns", value);
}

class Picture {
public:
    explicit Picture(const Results& results) : results_(results), regime_(results.main_regime()) {}

    [[nodiscard]] std::string text_of_all() {
        head();
        lines(0, 0, "Latency, one way, median: the receiver reads every byte", Test::latency,
              Touch::read);
        lines(1, 0, "Bandwidth, GB/s: the receiver reads every byte", Test::bandwidth, Touch::read);
        rates(0, 1);
        lines(1, 1, "Bandwidth, GB/s: the receiver does not read", Test::bandwidth, Touch::none);
        return svg_ + "</svg>\n";
    }

private:
    void head() {
        svg_ += fmt::format(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
            "font-family=\"system-ui, sans-serif\" font-size=\"12\">\n"
            "<rect width=\"{0:.0f}\" height=\"{1:.0f}\" fill=\"white\"/>\n",
            kWidth, kHeight);
        const Machine& machine = results_.machine;
        svg_ += text(24, 36, "Causeway and its peers on one host, measured in one run",
                     "font-size=\"21\" font-weight=\"600\"");
        svg_ += text(24, 60,
                     fmt::format("{}, {} cores, Linux {}; {} regime, a cache line goes from core "
                                 "to core in {:.0f} ns; {}{}",
                                 machine.cpu, machine.cores_online, machine.kernel, name(regime_),
                                 results_.bounce(regime_).median, results_.date.substr(0, 10),
                                 results_.commit.empty() ? "" : ", commit " + results_.commit),
                     "fill=\"#555\" font-size=\"13\"");
    }

    static double left_of(int column) { return 10 + column * (kPanelWidth + 30); }
    static double top_of(int row) { return kTop + row * kPanelHeight; }

    void lines(int column, int row, const std::string& title, Test test, Touch touch) {
        const double left = left_of(column) + kPlotLeft;
        const double top = top_of(row) + kPlotTop;
        svg_ += text(left_of(column) + 14, top - 14, title, "font-size=\"14\" font-weight=\"600\"");
        const std::vector<std::uint64_t> sizes = sizes_of(results_, test, Waiting::spin);
        std::vector<Line> all;
        double least = std::numeric_limits<double>::max();
        double most = 0;
        for (const Series& series : all_series()) {
            Line line{&series, {}};
            for (const std::uint64_t size : sizes) {
                const auto value =
                    best_of(results_, series.contestants, test, size, touch, regime_);
                if (!value.has_value() || *value <= 0)
                    continue;
                line.points.push_back({static_cast<double>(size), *value});
                least = std::min(least, *value);
                most = std::max(most, *value);
            }
            if (!line.points.empty())
                all.push_back(std::move(line));
        }
        if (all.empty()) {
            svg_ += text(left, top + 40, "not measured", "fill=\"#777\"");
            return;
        }
        const Scale x(static_cast<double>(sizes.front()), static_cast<double>(sizes.back()), left,
                      left + kPlotWidth);
        const Scale y(least / 1.3, most * 1.3, top + kPlotHeight, top);
        grid(x, y, sizes, test, left, top);
        for (const Line& line : all)
            draw(line, x, y);
        names(all, x, y, top);
    }

    void grid(const Scale& x, const Scale& y, const std::vector<std::uint64_t>& sizes, Test test,
              double left, double top) {
        const double right = left + kPlotWidth;
        const double bottom = top + kPlotHeight;
        for (double decade = std::pow(10, std::floor(std::log10(y.least()))); decade <= y.most();
             decade *= 10) {
            for (const double step : {1.0, 2.0, 5.0}) {
                const double value = decade * step;
                if (value < y.least() || value > y.most())
                    continue;
                svg_ += segment(left, y.at(value), right, y.at(value),
                                step == 1 ? "#dddddd" : "#f1f1f1");
                const bool crowded = y.most() / y.least() > 300 && step != 1;
                if (!crowded)
                    svg_ += text(left - 7, y.at(value) + 4, tick_text(value, test),
                                 "text-anchor=\"end\" fill=\"#555\" font-size=\"11\"");
            }
        }
        double last = -1e9;
        for (const std::uint64_t size : sizes) {
            const double at = x.at(static_cast<double>(size));
            svg_ += segment(at, bottom, at, bottom + 4, "#999999");
            if (at - last < 42)
                continue;
            last = at;
            svg_ += text(at, bottom + 18, size_text(size),
                         "text-anchor=\"middle\" fill=\"#555\" font-size=\"11\"");
        }
        svg_ += segment(left, bottom, right, bottom, "#999999");
    }

    void draw(const Line& line, const Scale& x, const Scale& y) {
        std::string path;
        std::string dots;
        for (const Point& point : line.points) {
            path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : " L", x.at(point.x),
                                y.at(point.y));
            dots += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" fill=\"{}\"/>\n",
                                x.at(point.x), y.at(point.y), line.series->width * 0.6 + 1,
                                line.series->colour);
        }
        svg_ +=
            fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"{}/>\n{}",
                        path, line.series->colour, line.series->width,
                        line.series->dash[0] != '\0'
                            ? fmt::format(" stroke-dasharray=\"{}\"", line.series->dash)
                            : "",
                        dots);
    }

    // At the lines' right ends, moved apart where they would lie on one another.
    void names(const std::vector<Line>& all, const Scale& x, const Scale& y, double top) {
        struct Label {
            const Line* line;
            double y;
        };
        std::vector<Label> labels;
        for (const Line& line : all)
            labels.push_back({&line, y.at(line.points.back().y)});
        std::sort(labels.begin(), labels.end(),
                  [](const Label& a, const Label& b) { return a.y < b.y; });
        for (std::size_t i = 1; i < labels.size(); ++i)
            labels[i].y = std::max(labels[i].y, labels[i - 1].y + kLabelGap);
        const double lowest = top + kPlotHeight + 6;
        for (std::size_t i = labels.size(); i-- > 0;) {
            const double limit = i + 1 == labels.size() ? lowest : labels[i + 1].y - kLabelGap;
            labels[i].y = std::min(labels[i].y, limit);
        }
        const double right = x.at(x.most()) + 26;
        for (const Label& label : labels) {
            const Point& end = label.line->points.back();
            const Series& series = *label.line->series;
            svg_ += segment(x.at(end.x) + 3, y.at(end.y), right - 4, label.y, series.colour);
            svg_ += text(right, label.y + 4, series.title,
                         fmt::format("fill=\"{}\" font-size=\"11.5\" font-weight=\"{}\"",
                                     series.colour, series.width > 2 ? 700 : 400));
        }
    }

    void rates(int column, int row) {
        constexpr std::uint64_t kSize = 8;
        const double left = left_of(column) + 150;
        const double top = top_of(row) + kPlotTop;
        svg_ += text(left_of(column) + 14, top - 14,
                     "Message rate, 8 B, million a second: the receiver reads",
                     "font-size=\"14\" font-weight=\"600\"");
        std::vector<std::pair<const Series*, double>> bars;
        for (const Series& series : all_series()) {
            const auto value =
                best_of(results_, series.contestants, Test::rate, kSize, Touch::read, regime_);
            if (value.has_value())
                bars.emplace_back(&series, *value);
        }
        if (bars.empty()) {
            svg_ += text(left, top + 40, "not measured", "fill=\"#777\"");
            return;
        }
        std::sort(bars.begin(), bars.end(),
                  [](const auto& a, const auto& b) { return a.second > b.second; });
        const double most = bars.front().second;
        double at = top + 4;
        for (const auto& [series, value] : bars) {
            const double length = std::max(value / most * (kPlotWidth - 20), 1.5);
            svg_ += fmt::format(
                "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"16\" fill=\"{}\"/>\n",
                left, at, length, series->colour);
            svg_ += text(left - 8, at + 12, series->title,
                         fmt::format("text-anchor=\"end\" font-size=\"11.5\" font-weight=\"{}\"",
                                     series->width > 2 ? 700 : 400));
            svg_ += text(left + length + 6, at + 12, fmt::format("{:.3g}", value),
                         "fill=\"#555\" font-size=\"11.5\"");
            at += 27;
        }
    }

    const Results& results_;
    const Regime regime_;
    std::string svg_;
};

}  // namespace

std::string picture_of(const Results& results) { return Picture(results).text_of_all(); }

}  // namespace causeway::bench
