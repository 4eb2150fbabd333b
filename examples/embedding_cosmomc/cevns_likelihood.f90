! A likelihood in the manner of CosmoMC: a type that extends what a sampler knows, set up from a file, whose LogLike is
! -ln L of some of the sampler's parameters. Here the sampler's type is the few lines below; in CosmoMC it is
! TDataLikelihood, and the parameters are nuisance parameters with names from a .paramnames file.
!
!     cevns-fast c-interface -o .
!     cc -O3 -c likelihood*.c
!     gfortran -O3 ../embedding_c/cevns_fast.f90 cevns_likelihood.f90 sample.f90 likelihood*.o -o sample
module sampler
   use, intrinsic :: iso_c_binding, only: c_double
   implicit none

   real(c_double), parameter :: log_zero = 1e30_c_double ! what CosmoMC takes for "impossible"

   type, abstract :: likelihood_type
      character(:), allocatable :: name
   contains
      procedure(log_like), deferred :: LogLike
   end type

   abstract interface
      function log_like(this, parameters)
         import :: likelihood_type, c_double
         class(likelihood_type), intent(in) :: this
         real(c_double), intent(in) :: parameters(:) ! all of the sampler's
         real(c_double) :: log_like
      end function
   end interface
end module

module cevns_likelihood
   use, intrinsic :: iso_c_binding
   use cevns_fast
   use sampler
   implicit none
   private
   public :: cevns_type

   type, extends(likelihood_type) :: cevns_type
      type(c_ptr) :: handle = c_null_ptr ! never changes: threads of a sampler share it
      integer, allocatable :: place(:) ! of each of its parameters among the sampler's
   contains
      procedure :: init
      procedure :: LogLike
      procedure :: close
   end type

contains

   ! From a file of Likelihood.export, and the names of the sampler's parameters.
   subroutine init(this, path, names)
      class(cevns_type), intent(inout) :: this
      character(*), intent(in) :: path
      character(*), intent(in) :: names(:)
      integer(c_size_t) :: n, i
      integer :: j

      this%name = path
      this%handle = cevns_fast_open(path)
      if (.not. c_associated(this%handle)) error stop "the file must be from Likelihood.export"
      n = cevns_fast_dimension(this%handle)
      allocate (this%place(n), source=0)
      do i = 1, n
         do j = 1, size(names)
            if (trim(names(j)) == cevns_fast_parameter(this%handle, i - 1)) this%place(i) = j
         end do
         if (this%place(i) == 0) error stop "a parameter of the likelihood is not among the sampler's"
      end do
   end subroutine

   function LogLike(this, parameters)
      class(cevns_type), intent(in) :: this
      real(c_double), intent(in) :: parameters(:)
      real(c_double) :: LogLike, theta(size(this%place))

      theta = parameters(this%place)
      LogLike = cevns_fast_chi2(this%handle, theta, size(theta, kind=c_size_t)) / 2
      if (.not. LogLike < log_zero) LogLike = log_zero
   end function

   subroutine close(this)
      class(cevns_type), intent(inout) :: this
      call cevns_fast_close(this%handle)
      this%handle = c_null_ptr
   end subroutine
end module
