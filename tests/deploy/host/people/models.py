"""The host's own tables: who signs in, whom it cares for, and what the signals said."""

import uuid

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models


class UserManager(BaseUserManager):
    def create_superuser(self, email, password, **more):
        user = self.model(email=email, is_staff=True, is_superuser=True, **more)
        user.set_password(password)
        user.save()
        return user


class User(AbstractUser):
    key = models.UUIDField(primary_key=True, default=uuid.uuid4)
    username = None
    email = models.EmailField(unique=True)
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []
    objects = UserManager()


class Client(models.Model):
    number = models.CharField(max_length=20, unique=True)
    family_name = models.CharField(max_length=50)
    given_name = models.CharField(max_length=50)
    birth_date = models.DateField()
    facts = models.JSONField(default=dict)


class Note(models.Model):
    signal = models.CharField(max_length=40)
    row = models.CharField(max_length=64)
