// eventually(): waits for what comes about by itself. Own file because all kinds of tests wait.
#pragma once

#include <chrono>
#include <thread>

namespace causeway::test {

// Until `condition` holds, generously; whether it did.
template<typename Condition>
[[nodiscard]] bool eventually(Condition&& condition,
                              std::chrono::seconds patience = std::chrono::seconds(30)) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= deadline)
            return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
}

}  // namespace causeway::test
