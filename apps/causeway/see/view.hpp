// What `causeway top` shows and in which order, and how keys change that.
//
// Threading: plain values, pure.
#pragma once

#include <optional>
#include <string>

#include "json.hpp"
#include "see/rates.hpp"

namespace causeway::cli {

enum class Sort { cpu, throughput, name, stalls };
enum class Show { partitions, pairs };
enum class Help { hidden, shown };

struct View {
    Sort sort = Sort::throughput;
    Show show = Show::partitions;
    Help help = Help::hidden;
    std::size_t columns = 0;  // 0: as wide and as long as it is
    std::size_t lines = 0;
};

enum class Act { none, redraw, refresh, quit };
[[nodiscard]] Act press(View& view, char key);
[[nodiscard]] std::optional<Sort> sort_of(const std::string& name);
[[nodiscard]] std::string sort_name(Sort sort);

// Rows in the view's order.
void order(Rates& rates, Sort sort);

// The frame's lines, each with a newline. `problem`: why there is nothing newer; may be empty.
[[nodiscard]] std::string frame(const Rates* rates, const View& view, const std::string& problem);
// The same as an object.
[[nodiscard]] json frame_json(const Rates* rates, const std::string& problem);

// {"count", "sum", "p50", "p99", "max"}
[[nodiscard]] json to_json(const Distribution& distribution);

}  // namespace causeway::cli
