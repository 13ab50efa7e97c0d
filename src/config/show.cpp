// The effective configuration, value by value.
#include "config/draft.hpp"
#include "config/schema.hpp"

namespace causeway::config {
namespace {

class Listing {
public:
    explicit Listing(const Draft& draft) : draft_(draft) {}

    template<typename T>
    void add(const std::string& path, std::span<const Key<T>> keys, const T& from) {
        for (const Key<T>& key : keys) {
            const std::string name = path_of(path, key.name);
            if (std::string value = key.shown(from); !value.empty())
                settings_.push_back({name, std::move(value), list_origin(name)});
        }
    }
    // What a partition does not say itself comes from [quota].
    void add_quota(const std::string& path, const Quota& quota) {
        for (const Key<Quota>& key : quota_keys()) {
            const std::string name = path_of(path, key.name);
            const bool own = draft_.origins.count(name) != 0;
            settings_.push_back({name, key.shown(quota),
                                 draft_.origin_of(own ? name : path_of("quota", key.name))});
        }
    }
    [[nodiscard]] std::vector<Setting> take() && { return std::move(settings_); }

private:
    // A list stands where its first text does.
    [[nodiscard]] Origin list_origin(const std::string& path) const {
        return draft_.origin_of(path, 0);
    }

    const Draft& draft_;
    std::vector<Setting> settings_;
};

}  // namespace

std::vector<Setting> settings_of(const Draft& draft) {
    const Config& config = draft.config;
    Listing listing(draft);
    listing.add("adapter", adapter_keys(), config.adapter);
    listing.add_quota("quota", config.quota);
    for (const auto& [name, partition] : config.partitions) {
        const std::string path = path_of("partition", name);
        listing.add(path, partition_keys(), partition);
        listing.add_quota(path_of(path, "quota"), partition.quota);
    }
    for (const auto& [name, segment] : config.segments)
        listing.add(path_of("segment", name), segment_keys(), segment);
    for (const auto& [name, unit] : config.units)
        listing.add(path_of("unit", name), unit_keys(), unit);
    for (std::size_t i = 0; i < config.rules.size(); ++i)
        listing.add(path_of("allow", i), rule_keys(), config.rules[i]);
    return std::move(listing).take();
}

}  // namespace causeway::config
