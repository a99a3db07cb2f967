"""Resources of every kind, sync and async: as functions, classes, and for whoever the middleware finds."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt

from oauth2_provider.decorators import (
    protected_resource,
    protected_resource_metadata,
    rw_protected_resource,
    rw_protected_resource_metadata,
)
from oauth2_provider.models import AccessToken
from oauth2_provider.views import (
    ClientProtectedResourceMetadataView,
    ClientProtectedResourceView,
    ProtectedResourceMetadataView,
    ProtectedResourceView,
    ReadWriteScopedProtectedResourceMetadataView,
    ReadWriteScopedResourceView,
    ScopedProtectedResourceMetadataView,
    ScopedProtectedResourceView,
)
from tests.urls import urlpatterns as suite_urlpatterns


def answer(request: HttpRequest, **more: Any) -> JsonResponse:
    owner = getattr(request, "resource_owner", None)
    return JsonResponse({"owner": owner.get_username() if owner else None, **more})


@protected_resource()
def plain(request: HttpRequest) -> HttpResponse:
    return answer(request, scope=request.access_token.scope)  # type: ignore[attr-defined]


@protected_resource(scopes=["write"])
def scoped(request: HttpRequest, pk: int) -> HttpResponse:
    return answer(request, pk=pk)


@csrf_exempt
@rw_protected_resource(scopes=["music"])
def read_write(request: HttpRequest) -> HttpResponse:
    return answer(request)


@protected_resource_metadata(scopes=["write"])
def described(request: HttpRequest) -> HttpResponse:
    return answer(request)


@rw_protected_resource_metadata(resource_metadata_url="https://api.example/metadata")
def described_elsewhere(request: HttpRequest) -> HttpResponse:
    return answer(request)


@protected_resource()
async def async_plain(request: HttpRequest) -> HttpResponse:
    return answer(request, tokens=await AccessToken.objects.acount())


@csrf_exempt
@rw_protected_resource()
async def async_read_write(request: HttpRequest) -> HttpResponse:
    return answer(request)


class AsyncAnswering:
    async def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return answer(request)


class AsyncResource(AsyncAnswering, ProtectedResourceView):
    pass


class AsyncWriteResource(AsyncAnswering, ScopedProtectedResourceMetadataView):
    required_scopes = ["write"]


@method_decorator(csrf_exempt, name="dispatch")
class AsyncReadWriteResource(AsyncAnswering, ReadWriteScopedResourceView):
    async def post(self, request: HttpRequest) -> HttpResponse:
        return answer(request)


class AsyncClientResource(AsyncAnswering, ClientProtectedResourceView):
    pass


class Described(ProtectedResourceMetadataView):
    def get(self, request: HttpRequest) -> HttpResponse:
        return answer(request)


class DescribedScoped(ScopedProtectedResourceMetadataView):
    required_scopes = ["write"]


class DescribedReadWrite(ReadWriteScopedProtectedResourceMetadataView):
    pass


class DescribedClient(ClientProtectedResourceMetadataView):
    def get_resource_metadata_url(self, request: HttpRequest) -> str:
        return "https://api.example/metadata"


class Upload(ProtectedResourceView):
    def post(self, request: HttpRequest) -> HttpResponse:
        return answer(request, length=len(request.body))


class Scoped(ScopedProtectedResourceView):
    """Forgot its required_scopes."""


def whoami(request: HttpRequest) -> HttpResponse:
    access_token = getattr(request, "access_token", None)
    return JsonResponse(
        {
            "user": request.user.get_username(),
            "client": access_token.application.client_id if access_token else None,
            "error": getattr(request, "oauth2_error", {}).get("error"),
        }
    )


async def async_whoami(request: HttpRequest) -> HttpResponse:
    user = await request.auser()  # type: ignore[attr-defined]
    return JsonResponse({"user": user.get_username(), "same": user == request.user})


async def at_once(request: HttpRequest) -> HttpResponse:
    return HttpResponse("at once")


urlpatterns = [
    *suite_urlpatterns,
    path("plain/", plain),
    path("scoped/<int:pk>/", scoped),
    path("read-write/", read_write),
    path("described/", described),
    path("described-elsewhere/", described_elsewhere),
    path("class/described/", Described.as_view()),
    path("class/described-scoped/", DescribedScoped.as_view()),
    path("class/described-read-write/", DescribedReadWrite.as_view()),
    path("class/described-client/", DescribedClient.as_view()),
    path("class/upload/", csrf_exempt(Upload.as_view())),
    path("class/unfinished/", Scoped.as_view()),
    path("async/plain/", async_plain),
    path("async/read-write/", async_read_write),
    path("async/class/", AsyncResource.as_view()),
    path("async/class/write/", AsyncWriteResource.as_view()),
    path("async/class/read-write/", AsyncReadWriteResource.as_view()),
    path("async/class/client/", AsyncClientResource.as_view()),
    path("whoami/", whoami),
    path("async/whoami/", async_whoami),
    path("at-once/", at_once),
]
