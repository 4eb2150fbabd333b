// A scanner with threads over a backend: ln L of points that it reads, one "name=value name=value ..." a line.
//
//     ./scan ./libcevns_fast.so fit.cevns 4 <points.txt
#include <atomic>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <thread>

#include "backend.hpp"

namespace {

cevns_fast::Parameters parsed(const std::string &line)
{
    cevns_fast::Parameters point;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
        const auto equals = word.find('=');
        if (equals == std::string::npos)
            throw std::invalid_argument(word + ": must be name=value");
        point[word.substr(0, equals)] = std::stod(word.substr(equals + 1));
    }
    return point;
}

} // namespace

int main(int argc, char **argv)
try {
    if (argc != 4)
        throw std::invalid_argument("usage: scan LIBRARY FILE THREADS");
    const cevns_fast::Likelihood csi(cevns_fast::Backend(argv[1]), argv[2]);
    std::vector<cevns_fast::Parameters> points;
    for (std::string line; std::getline(std::cin, line);)
        points.push_back(parsed(line));

    std::vector<std::string> answers(points.size());
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
        for (std::size_t i = next++; i < points.size(); i = next++)
            try {
                char text[32];
                std::snprintf(text, sizeof text, "%.17g", csi.log_likelihood(points[i]));
                answers[i] = text;
            } catch (const cevns_fast::invalid_point &reason) {
                answers[i] = std::string("invalid: ") + reason.what();
            } catch (const std::invalid_argument &reason) {
                answers[i] = std::string("error: ") + reason.what();
            }
    };
    std::vector<std::thread> threads;
    for (int i = std::stoi(argv[3]); i > 0; i--)
        threads.emplace_back(work);
    for (auto &thread : threads)
        thread.join();
    for (const auto &answer : answers)
        std::puts(answer.c_str());
    return 0;
} catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
