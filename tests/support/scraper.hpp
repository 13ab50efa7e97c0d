// Scraper: a client of the metrics endpoint that may behave as it pleases.
//
// Threading: one thread. Ownership: its connection.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>

#include "platform/fd.hpp"

namespace causeway::test {

class Scraper {
public:
    explicit Scraper(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ =
            ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    }
    [[nodiscard]] bool connected() const noexcept { return connected_; }
    // False: the other side has closed.
    bool send(std::string_view bytes) const {
        return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
               static_cast<ssize_t>(bytes.size());
    }
    // All until the other side closes, for at most half a minute.
    [[nodiscard]] std::string rest() const {
        std::string all;
        std::array<char, 4096> bytes{};
        while (true) {
            pollfd wait{fd_.get(), POLLIN, 0};
            if (::poll(&wait, 1, 30'000) <= 0)
                return all + "<nothing came for half a minute>";
            const ssize_t n = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
            if (n <= 0)
                return all;
            all.append(bytes.data(), static_cast<std::size_t>(n));
        }
    }
    // A whole scrape; the body.
    [[nodiscard]] static std::string scrape(std::uint16_t port) {
        const Scraper scraper(port);
        scraper.send("GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n");
        const std::string answer = scraper.rest();
        const std::size_t body = answer.find("\r\n\r\n");
        return answer.starts_with("HTTP/1.1 200 ") && body != std::string::npos
                   ? answer.substr(body + 4)
                   : "no metrics: " + answer;
    }

private:
    platform::UniqueFd fd_;
    bool connected_ = false;
};

// The value of the sample that begins like this ("name{labels}"); -1: there is none.
[[nodiscard]] inline double sample_of(const std::string& metrics, const std::string& series) {
    std::istringstream lines(metrics);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(series + " "))
            return std::stod(line.substr(series.size() + 1));
    }
    return -1;
}

}  // namespace causeway::test
