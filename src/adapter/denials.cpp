#include "adapter/denials.hpp"

namespace causeway::adapter {

void Denials::count(std::string_view partition, std::string_view rule) {
    last_rule_ = rule;
    if (by_rule_.find(rule) == by_rule_.end() && by_rule_.size() >= kMostRules)
        rule = kOthers;
    ++by_rule_[std::string(rule)];
    Key key(partition, rule);
    if (counts_.size() >= kMost && counts_.count(key) == 0)
        key = Key("", kOthers);
    ++counts_[key];
}

}  // namespace causeway::adapter
