// A backend as GAMBIT has them: a shared library that is opened when the program runs, functions found by name, and a
// likelihood of named parameters for a scanner's threads. It needs C++17 and dlopen, nothing of GAMBIT.
//
//     cevns-fast c-interface -o .
//     cc -O3 -fPIC -shared likelihood*.c -lm -o libcevns_fast.so
//     c++ -std=c++17 -O3 scan.cpp -ldl -lpthread -o scan
//
// In GAMBIT itself the functions are the BE_FUNCTIONs of a frontend, `Backend` is its initialisation, and
// `log_likelihood` the module function of a capability, which calls invalid_point().raise where this throws.
#ifndef CEVNS_FAST_BACKEND_HPP
#define CEVNS_FAST_BACKEND_HPP
#include <dlfcn.h>

#include <cmath>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "cevns_fast.h"

namespace cevns_fast {

// A point that has no likelihood: out of bounds, or impossible.
struct invalid_point : std::runtime_error {
    using std::runtime_error::runtime_error;
};

using Parameters = std::map<std::string, double>;

class Backend {
public:
    explicit Backend(const std::string &library) : handle(opened(library))
    {
        find("cevns_fast_open", open);
        find("cevns_fast_close", close);
        find("cevns_fast_dimension", dimension);
        find("cevns_fast_parameter", parameter);
        find("cevns_fast_chi2", chi2);
    }

    decltype(&cevns_fast_open) open;
    decltype(&cevns_fast_close) close;
    decltype(&cevns_fast_dimension) dimension;
    decltype(&cevns_fast_parameter) parameter;
    decltype(&cevns_fast_chi2) chi2;

private:
    static std::shared_ptr<void> opened(const std::string &library)
    {
        void *found = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (!found)
            throw std::runtime_error(dlerror());
        return {found, dlclose};
    }
    template <typename Function> void find(const char *name, Function &function)
    {
        function = reinterpret_cast<Function>(dlsym(handle.get(), name));
        if (!function)
            throw std::runtime_error(std::string(name) + " is not in the library");
    }
    std::shared_ptr<void> handle;
};

// Of one file of Likelihood.export. A handle never changes: all threads of a scanner share it.
class Likelihood {
public:
    Likelihood(const Backend &library, const std::string &path) : backend(library), fit(open(path))
    {
        for (std::size_t i = 0; i < backend.dimension(fit.get()); i++)
            names.push_back(backend.parameter(fit.get(), i));
    }

    const std::vector<std::string> &parameters() const { return names; }

    // ln L of the parameters by name; those of other likelihoods may be among them.
    double log_likelihood(const Parameters &point) const
    {
        std::vector<double> theta;
        for (const auto &name : names) {
            const auto found = point.find(name);
            if (found == point.end())
                throw std::invalid_argument("there is no parameter " + name);
            theta.push_back(found->second);
        }
        const double value = backend.chi2(fit.get(), theta.data(), theta.size(), nullptr);
        if (!std::isfinite(value))
            throw invalid_point("out of bounds");
        return -0.5 * value;
    }

private:
    std::shared_ptr<cevns_fast_likelihood> open(const std::string &path) const
    {
        cevns_fast_likelihood *opened = backend.open(path.c_str());
        if (!opened)
            throw std::runtime_error(path + ": is not from Likelihood.export");
        return {opened, backend.close};
    }

    Backend backend; // a copy: the library stays open as long as the likelihood
    std::shared_ptr<cevns_fast_likelihood> fit;
    std::vector<std::string> names;
};

} // namespace cevns_fast
#endif
