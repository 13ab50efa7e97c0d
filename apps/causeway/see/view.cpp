#include "see/view.hpp"

#include <algorithm>
#include <array>
#include <tuple>

#include "text.hpp"

namespace causeway::cli {
namespace {

constexpr std::array<std::string_view, 4> kSorts = {"cpu", "throughput", "name", "stalls"};

// None is less than nothing.
double value(const Rate& rate) { return rate.value_or(-1); }

double throughput(const PartitionRates& row) {
    return value(row.bytes) + std::max(0.0, value(row.claimed_bytes));
}
double throughput(const PairRates& row) { return value(row.bytes); }
// Of queue pairs nobody knows the processor time: what they move says most about it.
double cpu(const PartitionRates& row) { return value(row.cpu); }
double cpu(const PairRates& row) { return value(row.operations); }
double stalls(const PartitionRates& row) {
    return value(row.stalls) + std::max(0.0, value(row.claimed_stalls));
}
double stalls(const PairRates& row) { return value(row.stalls); }
std::string name(const PartitionRates& row) { return std::string(array_text(row.row.name)); }
std::string name(const PairRates& row) {
    return std::string(array_text(row.row.partition)) + "/" +
           std::string(array_text(row.row.service));
}

template<typename Rows>
void order_rows(Rows& rows, Sort sort) {
    std::stable_sort(rows.begin(), rows.end(), [sort](const auto& a, const auto& b) {
        switch (sort) {
            case Sort::cpu:
                return std::tuple(-cpu(a), name(a)) < std::tuple(-cpu(b), name(b));
            case Sort::throughput:
                return std::tuple(-throughput(a), name(a)) < std::tuple(-throughput(b), name(b));
            case Sort::stalls:
                return std::tuple(-stalls(a), name(a)) < std::tuple(-stalls(b), name(b));
            case Sort::name:
                break;
        }
        return name(a) < name(b);
    });
}

}  // namespace

std::string sort_name(Sort sort) { return std::string(kSorts[static_cast<std::size_t>(sort)]); }

std::optional<Sort> sort_of(const std::string& name) {
    const auto found = std::find(kSorts.begin(), kSorts.end(), name);
    if (found == kSorts.end())
        return std::nullopt;
    return static_cast<Sort>(found - kSorts.begin());
}

Act press(View& view, char key) {
    const auto beside = [&](std::size_t steps) {
        view.sort =
            static_cast<Sort>((static_cast<std::size_t>(view.sort) + steps) % kSorts.size());
        return Act::redraw;
    };
    const auto by = [&](Sort sort) {
        view.sort = sort;
        return Act::redraw;
    };
    switch (key) {
        case 'q':
            return Act::quit;
        case 'P':
            return by(Sort::cpu);
        case 'T':
            return by(Sort::throughput);
        case 'N':
            return by(Sort::name);
        case 'S':
            return by(Sort::stalls);
        case '<':
            return beside(kSorts.size() - 1);
        case '>':
            return beside(1);
        case 'v':
        case '\t':
            view.show = view.show == Show::partitions ? Show::pairs : Show::partitions;
            return Act::redraw;
        case 'h':
        case '?':
            view.help = view.help == Help::hidden ? Help::shown : Help::hidden;
            return Act::redraw;
        case ' ':
        case '\n':
        case '\r':
            return Act::refresh;
        case 12:  // Ctrl-L
            return Act::redraw;
        default:
            return Act::none;
    }
}

void order(Rates& rates, Sort sort) {
    order_rows(rates.partitions, sort);
    order_rows(rates.pairs, sort);
}

}  // namespace causeway::cli
