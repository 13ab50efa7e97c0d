// ConfiguredAdapter: a causewayd with a configuration file of its own, for one test.
//
// Threading: one thread.
#pragma once

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "support/temp_directory.hpp"
#include "support/test_adapter.hpp"

namespace causeway::test {

class ConfiguredAdapter {
public:
    explicit ConfiguredAdapter(const std::string& toml) {
        write(toml);
        adapter_ = std::make_unique<TestAdapter>(
            std::vector<std::string>{},
            std::vector<std::string>{"--config", file(), "--set", "adapter.audit_log=" + audit()});
    }
    // Takes effect with the next reload.
    void write(const std::string& toml) const { std::ofstream(file()) << toml; }

    [[nodiscard]] TestAdapter& adapter() { return *adapter_; }
    [[nodiscard]] std::string socket() const { return adapter_->socket(); }
    [[nodiscard]] std::string socket(const std::string& partition) const {
        return adapter_->socket(partition);
    }
    [[nodiscard]] std::string file() const { return directory_ / "causeway.toml"; }
    [[nodiscard]] std::string audit() const { return directory_ / "audit.jsonl"; }
    // The audit log so far.
    [[nodiscard]] std::string audited() const {
        std::ifstream log(audit());
        return {std::istreambuf_iterator<char>(log), {}};
    }

private:
    TempDirectory directory_;
    std::unique_ptr<TestAdapter> adapter_;
};

}  // namespace causeway::test
