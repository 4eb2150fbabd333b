// A likelihood in C++: the same as fit.c, with an object that closes itself.
//
//     cevns-fast c-interface -o .
//     cc -O3 -c likelihood*.c
//     c++ -std=c++17 -O3 fit.cpp likelihood*.o -o fit
//     ./fit fit.cevns 20 0.05 2e-4
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cevns_fast.h"

class Likelihood {
public:
    explicit Likelihood(const std::string &path) : handle(cevns_fast_open(path.c_str()), cevns_fast_close)
    {
        if (!handle)
            throw std::runtime_error(path + ": is not from Likelihood.export");
    }
    std::size_t size() const { return cevns_fast_dimension(handle.get()); }
    std::string name(std::size_t i) const { return cevns_fast_parameter(handle.get(), i); }
    std::pair<double, double> bounds(std::size_t i) const
    {
        std::pair<double, double> found;
        cevns_fast_bounds(handle.get(), i, &found.first, &found.second);
        return found;
    }
    double operator()(const std::vector<double> &theta) const
    {
        return cevns_fast_chi2(handle.get(), theta.data(), theta.size(), nullptr);
    }
    std::vector<double> gradient(const std::vector<double> &theta) const
    {
        std::vector<double> found(theta.size());
        cevns_fast_chi2(handle.get(), theta.data(), theta.size(), found.data());
        return found;
    }
    double minimise(std::vector<double> &theta) const
    {
        return cevns_fast_minimise(handle.get(), theta.data(), theta.size(), nullptr);
    }

private:
    std::unique_ptr<cevns_fast_likelihood, void (*)(cevns_fast_likelihood *)> handle;
};

int main(int argc, char **argv)
try {
    const Likelihood fit(argc > 1 ? argv[1] : "");
    std::vector<double> theta;
    for (int i = 2; i < argc; i++)
        theta.push_back(std::strtod(argv[i], nullptr));
    if (theta.size() != fit.size())
        throw std::invalid_argument(std::to_string(fit.size()) + " parameters are needed");
    for (std::size_t i = 0; i < fit.size(); i++) {
        const auto [lower, upper] = fit.bounds(i);
        std::printf("parameter\t%s\t%.17g\t%.17g\t%.17g\n", fit.name(i).c_str(), theta[i], lower, upper);
    }
    std::printf("chi2\t%.17g\n", fit(theta));
    for (double each : fit.gradient(theta))
        std::printf("gradient\t%.17g\n", each);
    std::printf("minimum\t%.17g\n", fit.minimise(theta));
    for (double each : theta)
        std::printf("at\t%.17g\n", each);
    return 0;
} catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
